package rawsock

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// With lo down there are stamps all the same, and no packet to a loopback
// address leaves through another interface.
func TestLoopbackDown(t *testing.T) {
	l := newLab(t)
	ip(t, "route add default via %v", l.far4)
	lo := must[netlink.Link](t)(netlink.LinkByName("lo"))
	check(t, netlink.LinkSetDown(lo))
	u := &uplinks{index: map[int]int{}}
	l.onFar(t, func() { u.openTap(t) })
	near := open(t, Options{})
	if status := near.Status(); status.StampMode != stampToken.String() || !status.LoopbackDown || !status.ReceiveStamps || !status.ByProtocol {
		t.Errorf("status %+v", status)
	}
	if to, seen := u.strayLoopback(t); seen {
		t.Errorf("a packet to %v left the host", to)
	}
}

// Where netlink is refused, sources are found all the same, and the status says
// what is lost.
func TestNetlinkRefused(t *testing.T) {
	l := newLab(t)
	refused := without(unix.AF_NETLINK)
	plain := open(t, Options{socket: refused})
	if err := plain.Status().RouteTable; !errors.Is(err, unix.EAFNOSUPPORT) || !strings.Contains(err.Error(), "netlink") {
		t.Errorf("status says %v", err)
	}
	chosen := open(t, Options{socket: refused, Source4: l.near4, Source6: l.near6})
	bound := open(t, Options{socket: refused, Interface: l.nearName})
	for _, transport := range []*Transport{plain, chosen, bound} {
		wantSource(t, "IPv4", transport, l.far4, l.near4, nil)
		wantSource(t, "IPv6", transport, l.far6, l.near6, nil)
		wantSource(t, "no route", transport, elsewhere6, netip.Addr{}, unix.ENETUNREACH)
	}
	wantSource(t, "link-local", bound, l.farLinkLocal, netip.MustParseAddr("fe80::1"), nil)
	if _, err := Open(Options{socket: refused, Source4: l.far4}); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("another host's address as source: %v", err)
	}
}
