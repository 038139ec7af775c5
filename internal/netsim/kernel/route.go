//go:build linux

package kernel

import (
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// route sets every route of the node at a place: everything goes on toward
// the target, and back by the first link into the node goes what is for the
// host or for an address that a router before it translated to.
func (l *Lab) route(place int) error {
	node := l.node(place)
	for _, ipv6 := range families {
		routes := l.backward(place, ipv6)
		if onward := l.onward(place, ipv6); onward != nil {
			routes = append(routes, onward)
		}
		for _, r := range routes {
			if err := node.links.RouteAdd(r); err != nil {
				return fmt.Errorf("kernel: route to %v in %s: %w", r.Dst, node.Name, err)
			}
		}
	}
	return nil
}

// onward returns the default route of a node, nil when it has none.
func (l *Lab) onward(place int, ipv6 bool) *netlink.Route {
	p := l.plan
	if place == host {
		return l.via(p.uplink[0], near, ipv6)
	}
	if place == len(p.Routers) {
		return l.via(p.uplink[place], far, ipv6)
	}
	switch p.Routers[place].Route {
	case None:
		return nil
	case Back:
		return l.via(p.uplink[place], far, ipv6)
	case Unreachable:
		return refusing(unix.RTN_UNREACHABLE, ipv6)
	case Prohibit:
		return refusing(unix.RTN_PROHIBIT, ipv6)
	case Discard:
		return refusing(unix.RTN_BLACKHOLE, ipv6)
	}
	down := p.downlinks(place)
	route := l.via(down[0], near, ipv6)
	if len(down) == 1 {
		return route
	}
	for _, i := range down {
		hop := l.via(i, near, ipv6)
		route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{LinkIndex: hop.LinkIndex, Gw: hop.Gw})
	}
	route.LinkIndex, route.Gw = 0, nil
	return route
}

// backward returns a router's routes to the host and to the translated
// addresses before it. They name the source address: left to itself the
// kernel takes that of the interface by which the probe came in for IPv6
// errors, but that of the one by which the error leaves for IPv4.
func (l *Lab) backward(place int, ipv6 bool) []*netlink.Route {
	p := l.plan
	if place == host || place == len(p.Routers) {
		return nil
	}
	wanted := []int{p.uplink[0]} // links whose near end to reach
	for i, r := range p.Routers[:place] {
		if r.NAT {
			wanted = append(wanted, p.downlinks(i)...)
		}
	}
	var routes []*netlink.Route
	for _, i := range wanted {
		route := l.via(p.uplink[place], far, ipv6)
		route.Src = p.answerAddress(place, ipv6).AsSlice()
		to := p.links[i].address(near, ipv6)
		route.Dst = ipNet(to, to.BitLen())
		if i == p.uplink[place] {
			route.Gw = nil // a neighbour
		}
		if p.Routers[place].NoReturn {
			route = &netlink.Route{Type: unix.RTN_BLACKHOLE, Family: route.Family, Dst: route.Dst}
		}
		routes = append(routes, route)
	}
	return routes
}

// via returns a default route that leaves over one end of a link. Where the
// link should be narrower than any IPv6 link, IPv4's MTU is the route's.
func (l *Lab) via(i int, s side, ipv6 bool) *netlink.Route {
	e := l.ends[i][s-near]
	route := &netlink.Route{
		LinkIndex: e.index,
		Family:    family(ipv6),
		Dst:       everything(ipv6),
		Gw:        e.link.address(near+far-s, ipv6).AsSlice(),
	}
	if e.link.mtu < minIPv6MTU && !ipv6 {
		route.MTU, route.MTULock = e.link.mtu, true
	}
	return route
}

// refusing returns a default route of a type that forwards nothing.
func refusing(kind int, ipv6 bool) *netlink.Route {
	return &netlink.Route{Type: kind, Family: family(ipv6), Dst: everything(ipv6)}
}

func family(ipv6 bool) int {
	if ipv6 {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}
