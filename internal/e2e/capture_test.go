//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
)

// captureBuffer is room for some thousand small packets.
const captureBuffer = 8 << 20

// capture keeps what a lab's host sends over its only link.
type capture struct{ socket int }

// departure is a packet that the host sent.
type departure struct {
	to netip.Addr
	at time.Time // by the kernel, on its way through the system call that sent it
}

// newCapture begins to capture until the test ends.
func newCapture(t testing.TB, lab *kernel.Lab) *capture {
	t.Helper()
	c := &capture{}
	on(t, lab.Host, func() (err error) {
		// Without protocol it sees nothing until it is bound.
		c.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			if err := unix.Close(c.socket); err != nil {
				t.Error(err)
			}
		})
		link, err := net.InterfaceByName("l1")
		if err != nil {
			return err
		}
		const all = unix.ETH_P_ALL << 8 // in network byte order
		return errors.Join(
			unix.SetsockoptInt(c.socket, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, captureBuffer),
			unix.SetsockoptInt(c.socket, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
			unix.Bind(c.socket, &unix.SockaddrLinklayer{Protocol: all, Ifindex: link.Index}),
		)
	})
	return c
}

// departures returns all packets that have left until now, in order.
func (c *capture) departures(t testing.TB) []departure {
	t.Helper()
	var all []departure
	packet, control := make([]byte, 64), make([]byte, 128)
	for {
		n, controlled, _, from, err := unix.Recvmsg(c.socket, packet, control, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			t.Fatalf("a packet of %T", from)
		}
		if to := destination(packet[:n]); link.Pkttype == unix.PACKET_OUTGOING && to.IsValid() {
			all = append(all, departure{to, stampOf(t, control[:controlled])})
		}
	}
	stats, err := unix.GetsockoptTpacketStats(c.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal(err)
	}
	if stats.Drops > 0 {
		t.Fatalf("%d packets were not captured", stats.Drops)
	}
	slices.SortFunc(all, func(a, b departure) int { return a.at.Compare(b.at) })
	return all
}

// destination returns where a packet goes, the zero address when that is not IP.
func destination(packet []byte) (to netip.Addr) {
	switch {
	case len(packet) >= 20 && packet[0]>>4 == 4:
		to, _ = netip.AddrFromSlice(packet[16:20])
	case len(packet) >= 40 && packet[0]>>4 == 6:
		to, _ = netip.AddrFromSlice(packet[24:40])
	}
	return to
}

func stampOf(t testing.TB, control []byte) time.Time {
	t.Helper()
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
			return time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		}
	}
	t.Fatal("a packet without a time stamp")
	return time.Time{}
}
