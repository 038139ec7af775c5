package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// Routes decides for each flow, which have one target, which source address
// its packets have and which interface they leave through, and writes that to
// routes, which is as long as flows. It is the decision that the kernel makes
// for a connection with the flow's protocol and ports, within what Options say
// (see docs/adr/0043). Nothing is sent. The error is the first flow's that has
// one: it matches ENETUNREACH, EHOSTUNREACH or the like when there is no route,
// EADDRNOTAVAIL when the host has no address to be answered at, or has lost the
// one in Options, EAFNOSUPPORT when it lacks the family, ENODEV when the
// interface of Options is gone, and net.ErrClosed after Close. Safe for
// concurrent use.
func (t *Transport) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	for i := range flows {
		switch target := flows[i].Target; {
		case !target.IsValid() || target.Is4In6() || target.Zone() != "":
			return errors.New("rawsock: routes: a target is unset, IPv4-mapped or zoned")
		case t.lacks[familyIndex(target)] != nil:
			return t.lacks[familyIndex(target)]
		}
	}
	return t.router.decide(flows, routes)
}

// question is what decideByTable asks for the flows of a trace, and where in
// router.asks it stands.
type question struct {
	configured, likely netip.Addr // source of the Options, and that of the packets' lookup; may be invalid
	index              int        // of the interface of the Options
	packets            int        // where the packets' lookups start, behind the flows' own
	ownership          int        // where ownership starts
}

// decideByTable asks once for all flows, and again where equal costs or rules
// part their ways. The common case needs one system call: each flow's own
// lookup, and the one that the kernel will make for its packets, assuming that
// the source is what it was for the trace before.
func (r *router) decideByTable(flows []packet.RouteQuery, routes []packet.Route, index int) error {
	family := familyIndex(flows[0].Target)
	q := r.compose(flows, family, index)
	if err := r.ask(); err != nil {
		return err
	}
	if q.configured.IsValid() && !isOwned(r.hops[q.ownership:]) {
		return fmt.Errorf("rawsock: source address %v: %w", q.configured, unix.EADDRNOTAVAIL)
	}
	first, sent := -1, q.packets-1
	for i := range flows {
		f := &flows[i]
		if i > 0 && *f == flows[i-1] {
			routes[i] = routes[i-1]
			continue
		}
		if first++; i == 0 || f.Protocol != flows[i-1].Protocol {
			sent++
		}
		h := r.hops[first]
		if err := r.judge(f, &h, &q); err != nil {
			return err
		}
		if h.source == q.likely && r.asPacket[family] && takesProtocol(f.Protocol) && r.hops[sent].is(h.step) {
			routes[i] = packet.Route{Source: h.source, Interface: index}
			continue
		}
		var err error
		if routes[i], err = r.settle(f, &h, &q); err != nil {
			return err
		}
	}
	r.likely[family] = routes[0].Source
	return nil
}

// compose writes what to ask for the flows to r.asks.
func (r *router) compose(flows []packet.RouteQuery, family, index int) question {
	q := question{configured: r.configured(family == 1), index: index}
	if q.likely = q.configured; !q.likely.IsValid() {
		q.likely = r.likely[family]
	}
	r.asks = r.asks[:0]
	for i := range flows {
		if i == 0 || flows[i] != flows[i-1] {
			r.asks = append(r.asks, askFirst(&flows[i], &q))
		}
	}
	q.packets = len(r.asks)
	for i := range flows {
		if q.likely.IsValid() && (i == 0 || flows[i].Protocol != flows[i-1].Protocol) {
			r.asks = append(r.asks, askFor(&flows[i], q.likely, index).asPacket(index))
		}
	}
	q.ownership = len(r.asks)
	if q.configured.IsValid() {
		asks := ownership(q.configured, index)
		r.asks = append(r.asks, asks[:]...)
	}
	return q
}

// ask looks r.asks up, into r.hops.
func (r *router) ask() error {
	for len(r.hops) < len(r.asks) {
		r.hops = append(r.hops, hop{})
	}
	r.hops = r.hops[:len(r.asks)]
	return r.table.ask(r.asks, r.hops)
}

// one looks one up.
func (r *router) one(l lookup) (hop, error) {
	var hops [1]hop
	err := r.table.ask([]lookup{l}, hops[:])
	return hops[0], err
}

func askFor(f *packet.RouteQuery, source netip.Addr, index int) lookup {
	l := lookup{target: f.Target, source: source, sourcePort: f.SourcePort, targetPort: f.TargetPort, index: index}
	if takesProtocol(f.Protocol) {
		l.protocol = f.Protocol
	}
	return l
}

// askFirst is a flow's own lookup. To IPv6, an interface is binding only when
// there is no source with it.
func askFirst(f *packet.RouteQuery, q *question) lookup {
	if q.index != 0 && f.Target.Is6() {
		return askFor(f, netip.Addr{}, q.index)
	}
	return askFor(f, q.configured, q.index)
}

// asPacket is how the kernel looks up a raw packet that is sent through an
// interface, 0 for any: it has no ports, and as the sender does it, no source
// where that would make an interface a mere preference.
func (l lookup) asPacket(through int) lookup {
	l.sourcePort, l.targetPort, l.index = 0, 0, through
	if through != 0 && l.target.Is6() {
		l.source = netip.Addr{}
	}
	return l
}

// byAddress answers a flow's own lookup where an IPv6 route through the
// interface is there only for packets that have its address: by a rule.
func (r *router) byAddress(f *packet.RouteQuery, first hop, q *question) (hop, error) {
	sources := []netip.Addr{q.configured}
	if !q.configured.IsValid() {
		var err error
		if sources, err = addressesOf(q.index); err != nil {
			return hop{}, err
		}
	}
	for _, source := range sources {
		if !source.Is6() || confined(source) != confined(f.Target) {
			continue
		}
		h, err := r.one(askFor(f, source, q.index))
		if h.source = source; err != nil || h.errno == 0 && h.index == q.index {
			return h, err
		}
	}
	return first, nil
}

// is reports whether there is a route, and its next step is s.
func (h *hop) is(s step) bool { return h.errno == 0 && h.step == s }

// ownership is what to ask to find out whether an address is this host's. The
// interface that packets leave through may be another than the address is on,
// but counts where it is part of a VRF, or the address is link-local.
func ownership(addr netip.Addr, index int) [2]lookup {
	return [2]lookup{{target: addr}, {target: addr, index: index}}
}

// isOwned reads the answers to ownership.
func isOwned(hops []hop) bool {
	return slices.ContainsFunc(hops, func(h hop) bool { return h.errno == 0 && h.kind == unix.RTN_LOCAL })
}

// judge turns the answer to a flow's own lookup into an error when nothing can
// be sent by it, and fills in the source.
func (r *router) judge(f *packet.RouteQuery, h *hop, q *question) error {
	if h.errno != 0 && q.index != 0 && f.Target.Is6() {
		var err error
		if *h, err = r.byAddress(f, *h, q); err != nil {
			return err
		}
	}
	switch {
	case h.errno != 0:
		return noRoute(f.Target, h.errno)
	case h.kind == unix.RTN_BROADCAST:
		return &unroutable{text: fmt.Sprintf("%v is not the address of a host, but a broadcast address", f.Target), errno: unix.EACCES}
	}
	if q.configured.IsValid() {
		h.source = q.configured
	}
	return reachable(f.Target, h.source)
}
