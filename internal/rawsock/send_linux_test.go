package rawsock

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// No route leads here from a lab.
var (
	elsewhere4 = netip.AddrFrom4([4]byte{198, 51, 100, 1})
	elsewhere6 = netip.AddrFrom16([16]byte{0x20, 1, 0x0d, 0xb8, 0xff, 15: 1})
)

// What is refused is named by its place and reason, and what stands around it
// goes.
func TestSendRefused(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{})
	var far *Transport
	l.onFar(t, func() { far = open(t, Options{}) })
	arrivals := listen(t, far)
	only4 := open(t, Options{socket: without(unix.AF_INET6)})
	refuseUDP(t, 9999)
	v4, v6 := trial{from: l.near4, to: l.far4}, trial{from: l.near6, to: l.far6}
	long := make([]byte, 1600)
	for _, c := range []struct {
		name  string
		via   *Transport
		bytes []byte
		want  syscall.Errno
	}{
		{"IPv4 no route", near, trial{from: l.near4, to: elsewhere4}.udp(t, 1, 1), unix.ENETUNREACH},
		{"IPv6 no route", near, trial{from: l.near6, to: elsewhere6}.udp(t, 1, 1), unix.ENETUNREACH},
		{"IPv4 over the MTU", near, trial{from: l.near4, to: l.far4, payload: long}.udp(t, 1, 1), unix.EMSGSIZE},
		{"IPv6 over the MTU", near, trial{from: l.near6, to: l.far6, payload: long}.udp(t, 1, 1), unix.EMSGSIZE},
		{"IPv4 firewall", near, v4.udp(t, 1, 9999), unix.EPERM},
		{"IPv6 firewall", near, v6.udp(t, 1, 9999), unix.EPERM},
		{"empty", near, nil, unix.EINVAL},
		{"IPv4 cut", near, v4.udp(t, 1, 1)[:19], unix.EINVAL},
		{"IPv6 cut", near, v6.udp(t, 1, 1)[:39], unix.EINVAL},
		{"IPv4 with options cut", near, append([]byte{0x4f}, v4.udp(t, 1, 1)[1:]...), unix.EINVAL},
		{"version 5", near, append([]byte{0x55}, v4.udp(t, 1, 1)[1:]...), unix.EINVAL},
		{"IPv4 broadcast", near, trial{from: l.near4, to: netip.MustParseAddr("192.0.2.255")}.udp(t, 1, 1), unix.EACCES},
		{"no IPv6", only4, v6.udp(t, 1, 1), unix.EAFNOSUPPORT},
	} {
		t.Run(c.name, func(t *testing.T) {
			good := packet.Outgoing{Bytes: v4.udp(t, 1, far.Ports()[0]), TxID: 5}
			packets := []packet.Outgoing{good, good, {Bytes: c.bytes}, good}
			sent, err := c.via.Senders()[0].Send(packets)
			if sent != 2 || !errors.Is(err, c.want) {
				t.Fatalf("sent %d: %v, want 2: %v", sent, err, c.want)
			}
			sendAll(t, c.via, packets[3:]...)
			for range 3 {
				next(t, arrivals)
			}
			if stamps := stampsOf(c.via); len(stamps) != 3 {
				t.Errorf("stamps %v, want 3", stamps)
			}
		})
	}
	if len(arrivals) != 0 {
		t.Errorf("%d packets arrived that were refused", len(arrivals))
	}
	if sent, err := near.Senders()[0].Send(nil); sent != 0 || err != nil {
		t.Errorf("nothing to send: %d, %v", sent, err)
	}
}

// A device's queue that is full says so, and exactly what counts as sent
// arrives and is stamped.
func TestSendQueueFull(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := openStamping(t, mode)
			var far *Transport
			l.onFar(t, func() { far = open(t, Options{}) })
			arrivals := listen(t, far)
			link := must[netlink.Link](t)(netlink.LinkByName(l.nearName))
			check(t, netlink.QdiscAdd(&netlink.Tbf{
				QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)},
				Rate:       100_000, // bytes per second
				Buffer:     32_000, Limit: 3000,
			}))
			packets := l.numbered(t, far.Ports()[0], 1200)
			sent, refused := 0, 0
			for _, p := range packets {
				n, err := near.Senders()[0].Send([]packet.Outgoing{p})
				sent += n
				if err != nil {
					refused++
					if n != 0 || !errors.Is(err, syscall.ENOBUFS) {
						t.Fatalf("sent %d: %v, want 0: ENOBUFS", n, err)
					}
				}
			}
			if sent == 0 || refused == 0 {
				t.Fatalf("%d sent, %d refused, want some of both", sent, refused)
			}
			byTime := map[uint32]int64{}
			for range sent {
				a := next(t, arrivals)
				byTime[tokenIn(a)] = a.Wall
			}
			stamps := stampsOf(near)
			for _, stamp := range stamps {
				received, ok := byTime[stamp.TxID]
				if !ok || received < stamp.Wall || received-stamp.Wall > int64(patience) {
					t.Errorf("stamp %v for a packet received at %d", stamp, received)
				}
				delete(byTime, stamp.TxID)
			}
			// By number alone, stamps that come out of a queue after a refusal
			// cannot all be told apart, and are dropped.
			if mode == stampToken && len(stamps) != sent {
				t.Errorf("%d stamps for %d packets", len(stamps), sent)
			}
		})
	}
}

// A device without a queue stamps a packet before it finds no room for it.
// Such a stamp is not the packet's: it can be sent again.
func TestSendDeviceFull(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			newLab(t)
			from := lazyTun(t)
			transport := openStamping(t, mode)
			packets := make([]packet.Outgoing, 20)
			refused, want := 0, map[uint32]bool{}
			for i := range uint32(20) {
				for j := range packets {
					packets[j] = packet.Outgoing{Bytes: trial{from: from, to: from.Next()}.udp(t, 1, 9), TxID: i<<8 + uint32(j)}
				}
				sent, err := transport.Senders()[0].Send(packets)
				for _, p := range packets[:sent] {
					want[p.TxID] = true
				}
				if err != nil {
					refused++
					if !errors.Is(err, syscall.ENOBUFS) {
						t.Fatalf("sent %d: %v, want ENOBUFS", sent, err)
					}
				}
			}
			got := map[uint32]bool{}
			for _, stamp := range stampsOf(transport) {
				got[stamp.TxID] = true
			}
			if refused == 0 || len(want) == 0 {
				t.Fatalf("%d sent, %d refused, want some of both", len(want), refused)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("tokens stamped (-want +got):\n%s", diff)
			}
		})
	}
}

// lazyTun makes a TUN device that nobody reads, with room for 100 packets and
// no queue in front, and returns its address.
func lazyTun(t *testing.T) netip.Addr {
	t.Helper()
	tun := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: "tun0", TxQLen: 100}, Mode: netlink.TUNTAP_MODE_TUN, NonPersist: true, Queues: 1}
	if err := netlink.LinkAdd(tun); err != nil {
		t.Skipf("needs a TUN device: %v", err)
	}
	t.Cleanup(func() { check(t, tun.Fds[0].Close()) })
	link := must[netlink.Link](t)(netlink.LinkByName("tun0"))
	check(t, netlink.LinkSetTxQLen(link, 100))
	address := netip.MustParseAddr("203.0.113.1")
	check(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
	check(t, netlink.QdiscReplace(&netlink.GenericQdisc{
		QdiscType:  "noqueue",
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_ROOT, Handle: netlink.MakeHandle(1, 0)},
	}))
	check(t, netlink.LinkSetUp(link))
	return address
}

// A socket whose buffer is full says so at once. Packets wait here for the
// link-layer address of a neighbour that does not exist.
func TestSendBufferFull(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			transport := open(t, Options{stamps: mode, sendBuffer: 1})
			for _, p := range []trial{{from: l.near4, to: l.nobody4}, {from: l.near6, to: l.nobody6}} {
				packets := make([]packet.Outgoing, 200)
				for i := range packets {
					packets[i] = packet.Outgoing{Bytes: p.udp(t, 1, 9)}
				}
				sent, err := transport.Senders()[0].Send(packets)
				if sent == 0 || sent == len(packets) || !errors.Is(err, syscall.EAGAIN) {
					t.Errorf("%v: sent %d: %v, want some: EAGAIN", p.to, sent, err)
				}
			}
		})
	}
}
