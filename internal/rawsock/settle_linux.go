package rawsock

import (
	"fmt"
	"net"
	"net/netip"
	"slices"

	"probe-agent/packet"
)

// settle finds the route of one flow, given the answer to its own lookup, where
// packets that leave from that source may take another way.
func (r *router) settle(f *packet.RouteQuery, first *hop, q *question) (packet.Route, error) {
	if !takesProtocol(f.Protocol) && q.index == 0 {
		if route, err := r.settleByProtocol(f, first, q); route.Source.IsValid() || err != nil {
			return route, err
		}
	}
	exact := r.asPacket[familyIndex(f.Target)] && takesProtocol(f.Protocol)
	l := askFor(f, first.source, q.index)
	chosen, err := r.secondHop(l, first)
	if err != nil {
		return packet.Route{}, err
	}
	for i, through := range [...]int{q.index, chosen.index, 0} {
		if i == 0 && through == 0 && !exact {
			continue // the packets' lookup is by another protocol, and what it hashes is not known
		}
		sent, err := r.one(l.asPacket(through))
		if err != nil {
			return packet.Route{}, err
		}
		if sent.is(chosen) {
			return packet.Route{Source: first.source, Interface: through}, nil
		}
	}
	if f.SourcePort == 0 {
		return packet.Route{Source: first.source, Interface: q.index}, nil
	}
	// A rule by port, or several gateways on one interface of which the ports
	// choose: raw packets cannot follow. Decide as they will be looked up.
	bare := packet.RouteQuery{Target: f.Target, Protocol: f.Protocol}
	h, err := r.one(askFirst(&bare, q))
	if err == nil {
		err = r.judge(&bare, &h, q)
	}
	if err != nil {
		return packet.Route{}, err
	}
	return r.settle(&bare, &h, q)
}

// settleByProtocol is for a protocol that the table cannot be asked by, given
// the answer without it: a socket of the protocol chooses the source by rules
// for it. There is no route yet when equal costs remain to be settled.
func (r *router) settleByProtocol(f *packet.RouteQuery, first *hop, q *question) (packet.Route, error) {
	source, err := r.gre[familyIndex(f.Target)].source(f.Target, 0, 0)
	if err != nil {
		return packet.Route{}, err
	}
	if q.configured.IsValid() {
		source = q.configured
	}
	if err := reachable(f.Target, source); err != nil {
		return packet.Route{}, err
	}
	l := askFor(f, source, 0)
	l.whole = true
	entry, err := r.one(l)
	switch {
	case err != nil:
		return packet.Route{}, err
	case !entry.shared:
		return packet.Route{Source: source}, nil
	case source != first.source:
		index, err := interfaceOf(source)
		return packet.Route{Source: source, Interface: index}, err
	}
	return packet.Route{}, nil
}

// interfaceOf returns the index of the interface that has an address, 0 when it
// is none's or loopback's.
func interfaceOf(addr netip.Addr) (int, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return 0, fmt.Errorf("rawsock: interfaces: %w", err)
	}
	for i := range interfaces {
		addrs, err := addressesOf(interfaces[i].Index)
		if err != nil {
			return 0, err
		}
		if interfaces[i].Flags&net.FlagLoopback == 0 && slices.Contains(addrs, addr) {
			return interfaces[i].Index, nil
		}
	}
	return 0, nil
}

// addressesOf returns the addresses of an interface.
func addressesOf(index int) ([]netip.Addr, error) {
	one := net.Interface{Index: index}
	found, err := one.Addrs()
	if err != nil {
		return nil, fmt.Errorf("rawsock: interface addresses: %w", err)
	}
	var addrs []netip.Addr
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok {
			if addr, ok := netip.AddrFromSlice(n.IP); ok {
				addrs = append(addrs, addr.Unmap())
			}
		}
	}
	return addrs, nil
}

// secondHop is the lookup that connect(2) makes once it knows the source: rules
// by source count in it. Where the source is one uplink's own and the costs are
// equal, the kernel may choose another uplink; that choice does not count.
func (r *router) secondHop(l lookup, first *hop) (step, error) {
	second, err := r.one(l)
	switch {
	case err != nil:
		return step{}, err
	case l.index != 0 && second.index != l.index:
		return first.step, nil // IPv6, which takes the interface for a preference
	case second.errno != 0:
		return step{}, noRoute(l.target, second.errno)
	case second.step == first.step:
		return first.step, nil
	case second.table != first.table || l.index != 0:
		return second.step, nil
	}
	there := l
	there.source, there.index = netip.Addr{}, second.index
	its, err := r.one(there)
	if err != nil || its.errno == 0 && its.source != l.source {
		return first.step, err
	}
	return second.step, nil
}
