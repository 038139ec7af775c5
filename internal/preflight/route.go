package preflight

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"probe-agent/packet"
)

// Addresses that stand for the rest of the Internet when the routing table is
// asked: of the documentation prefixes (RFC 5737, RFC 3849), so nobody's.
const (
	elsewhere4 = "192.0.2.1"
	elsewhere6 = "2001:db8::1"
)

// Routes finds whether there is a route for each family. source returns the
// address that packets to a target would leave from; it must only ask the
// routing table.
func Routes(source func(target netip.Addr) (netip.Addr, error)) []Finding {
	from4, err4 := source(netip.MustParseAddr(elsewhere4))
	from6, err6 := source(netip.MustParseAddr(elsewhere6))
	none := err4 != nil && err6 != nil
	return []Finding{route("route IPv4", from4, err4, none), route("route IPv6", from6, err6, none)}
}

// route judges one family; none tells that neither has a route.
func route(name string, from netip.Addr, err error, none bool) Finding {
	if err == nil {
		return Finding{Name: name, State: OK, Detail: "from " + from.String()}
	}
	f := Finding{Name: name, State: Warning, Detail: err.Error(), Advice: "only local targets of this family can be traced; add a default route if others should be"}
	if none {
		f.State = Missing
	}
	return f
}

// Router decides where packets leave from; *rawsock.Transport is one.
type Router interface {
	Routes(flows []packet.RouteQuery, routes []packet.Route) error
}

// ProbeSource returns a function for Routes that asks where ICMP probes leave
// from.
func ProbeSource(router Router) func(target netip.Addr) (netip.Addr, error) {
	return func(target netip.Addr) (netip.Addr, error) {
		var routes [1]packet.Route
		err := router.Routes([]packet.RouteQuery{{Target: target, Protocol: packet.ICMP.Protocol(target.Is6())}}, routes[:])
		return routes[0].Source, err
	}
}

// KernelSource returns the address that packets to target leave from, as
// connecting a UDP socket tells; that sends nothing and needs no privilege.
func KernelSource(target netip.Addr) (netip.Addr, error) {
	// Port 9 is discard (RFC 863); any would do.
	conn, err := new(net.Dialer).DialContext(context.Background(), "udp", netip.AddrPortFrom(target, 9).String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("preflight: no route to %v: %w", target, err)
	}
	defer conn.Close()
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	if err != nil {
		return netip.Addr{}, fmt.Errorf("preflight: local address: %w", err)
	}
	return local.Addr().Unmap().WithZone(""), nil
}
