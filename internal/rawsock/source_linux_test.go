package rawsock

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// A configured source address that the host has lost, or does not have yet,
// is told from one that it has; when it is there again, so is the source.
func TestSourceLost(t *testing.T) {
	l := newLab(t)
	link := must[netlink.Link](t)(netlink.LinkByName(l.nearName))
	for _, c := range []struct {
		name           string
		source, target netip.Addr
	}{
		{"IPv4", netip.MustParseAddr("192.0.2.7"), l.far4},
		{"IPv6", netip.MustParseAddr("2001:db8::7"), l.far6},
	} {
		bits := 24
		if c.source.Is6() {
			bits = 64
		}
		address := &netlink.Addr{IPNet: &net.IPNet{IP: c.source.AsSlice(), Mask: net.CIDRMask(bits, c.source.BitLen())}, Flags: unix.IFA_F_NODAD}
		options := Options{Source4: c.source}
		if c.source.Is6() {
			options = Options{Source6: c.source}
		}
		take := func() {
			check(t, netlink.AddrAdd(link, address))
			if c.source.Is6() {
				owned(t, l.near, c.source)
			}
		}
		take()
		transport := open(t, options)
		before := descriptors(t)
		wantSource(t, c.name, transport, c.target, c.source, nil)
		check(t, netlink.AddrDel(link, address))
		wantSource(t, c.name+" lost", transport, c.target, netip.Addr{}, unix.EADDRNOTAVAIL)
		take()
		wantSource(t, c.name+" again", transport, c.target, c.source, nil)
		if after := descriptors(t); after != before {
			t.Errorf("%s: %d descriptors, %d before", c.name, after, before)
		}
	}
}

// An IPv6 address that is still being tried is no source, and neither is one
// that means nothing beyond the link.
func TestSourceTentative(t *testing.T) {
	l := newLab(t)
	write(t, "/proc/sys/net/ipv6/conf/"+l.nearName+"/dad_transmits", "1000") // it will not be over before the test
	link := must[netlink.Link](t)(netlink.LinkByName(l.nearName))
	plain, chosen, bound := open(t, Options{}), open(t, Options{Source6: l.near6}), open(t, Options{Interface: l.nearName})
	network := &net.IPNet{IP: l.near6.AsSlice(), Mask: net.CIDRMask(64, 128)}
	check(t, netlink.AddrDel(link, &netlink.Addr{IPNet: network}))
	check(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: network}))
	for name, transport := range map[string]*Transport{"plain": plain, "chosen": chosen, "bound": bound} {
		wantSource(t, name, transport, l.far6, netip.Addr{}, unix.EADDRNOTAVAIL)
	}
	wantSource(t, "link-local", bound, l.farLinkLocal, netip.MustParseAddr("fe80::1"), nil)
	wantSource(t, "IPv4", plain, l.far4, l.near4, nil)
	check(t, netlink.AddrDel(link, &netlink.Addr{IPNet: network}))
	check(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: network, Flags: unix.IFA_F_NODAD}))
	owned(t, l.near, l.near6)
	for name, transport := range map[string]*Transport{"plain": plain, "chosen": chosen, "bound": bound} {
		wantSource(t, name+" again", transport, l.far6, l.near6, nil)
	}
}

func wantSource(t *testing.T, name string, transport *Transport, target, want netip.Addr, errno error) {
	t.Helper()
	if got, err := sourceOf(transport, target); got != want || !errors.Is(err, errno) {
		t.Errorf("%s: %v, %v, want %v, %v", name, got, err, want, errno)
	} else if err != nil {
		t.Logf("%s: %v", name, err)
	}
}

// sourceOf asks where ICMP probes to target leave from.
func sourceOf(transport *Transport, target netip.Addr) (netip.Addr, error) {
	route, err := routeOf(transport, target)
	return route.Source, err
}

func routeOf(transport *Transport, target netip.Addr) (packet.Route, error) {
	var routes [1]packet.Route
	err := transport.Routes([]packet.RouteQuery{{Target: target, Protocol: packet.ICMP.Protocol(target.Is6())}}, routes[:])
	return routes[0], err
}
