//go:build linux

package e2e

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
)

// tap counts the IPv4 packets that leave a lab's host for its first router:
// probes only, since the daemon's clients are on loopback.
type tap struct {
	socket, packets int
}

// newTap puts a tap on the lab's first link until the test ends.
func newTap(t testing.TB, lab *kernel.Lab) *tap {
	t.Helper()
	tap := &tap{}
	err := lab.Routers[0].Do(func() (err error) {
		link, err := net.InterfaceByName("l1")
		if err != nil {
			return err
		}
		// Without protocol it sees nothing until it is bound. With one it sees
		// what comes in, not what goes out.
		tap.socket, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		t.Cleanup(func() {
			if err := unix.Close(tap.socket); err != nil {
				t.Error(err)
			}
		})
		const ip = unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8 // in network byte order
		return unix.Bind(tap.socket, &unix.SockaddrLinklayer{Protocol: ip, Ifindex: link.Index})
	})
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

// count returns how many packets have gone by.
func (p *tap) count(t testing.TB) int {
	t.Helper()
	// Reading the statistics resets them. They include packets for which the
	// socket has no room, so nobody has to receive.
	stats, err := unix.GetsockoptTpacketStats(p.socket, unix.SOL_PACKET, unix.PACKET_STATISTICS)
	if err != nil {
		t.Fatal(err)
	}
	p.packets += int(stats.Packets)
	return p.packets
}

// await waits until more than some packets have gone by.
func (p *tap) await(t testing.TB, packets int) {
	t.Helper()
	eventually(t, func() string {
		if n := p.count(t); n <= packets {
			return fmt.Sprintf("%d packets have left the host", n)
		}
		return ""
	})
}
