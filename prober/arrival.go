package prober

import (
	"net/netip"

	"probe-agent/packet"
)

// Codes that decide about arrival.
const (
	codeProtocol4   = 2 // RFC 792: protocol unreachable
	codePort4       = 3 // RFC 792: port unreachable
	codePort6       = 4 // RFC 4443 3.1: port unreachable
	codeNextHeader6 = 1 // RFC 4443 3.4: unrecognised next header, IPv6's protocol unreachable
)

// conclusion returns what a reply to a probe of a type says about its path: that
// the target answered (arrival), and whether the path ends here.
//
// The kind of reply decides, and not the source address alone: a target may
// forward packets as well, and a router may answer in its name. A target with
// several addresses may refuse UDP from another of them than the one probed;
// reviewArrivals takes such an arrival back if the sender is a router.
func conclusion(r *packet.Reply, typ packet.Type, target netip.Addr) (arrival, ends bool) {
	if !r.Kind.IsError() {
		return true, true
	}
	// An error from the address that it was sent to is this host's own word for a
	// probe that its firewall rejected.
	fromTarget := r.From == target || typ.AnyRefuser() && r.From != r.To
	return fromTarget && refusesPort(r.Kind, r.Code, r.IPv6), kindOf(r.Kind).EndsPath(r.Code)
}

// refusesPort reports whether an ICMP error is port or protocol unreachable.
func refusesPort(kind packet.Kind, code uint8, ipv6 bool) bool {
	switch kind {
	case packet.Unreachable:
		return ipv6 && code == codePort6 || !ipv6 && (code == codePort4 || code == codeProtocol4)
	case packet.ParameterProblem:
		return ipv6 && code == codeNextHeader6
	}
	return false
}

// reviewArrivals takes back the arrivals from other addresses than the
// target's that come from a router on the path, by all answers so far. Later
// answers may show more of these, and never fewer, so it is called for every
// result. docs/adr/0047 has the reasons.
func (t *trace) reviewArrivals() {
	if !t.hasForeignArrival() {
		return
	}
	nearest := t.routersOfArrivals()
	for flow := range t.flows {
		changed := false
		for ttl := 1; ttl <= t.sentTop; ttl++ {
			a := t.answerAt(flow, ttl)
			if a == nil || !t.isForeignArrival(a) {
				continue
			}
			if at, known := nearest[a.from]; known && at < ttl {
				a.arrival, changed = false, true
				t.changes.all()
			}
		}
		if changed {
			t.reassess(flow)
		}
	}
}

// routersOfArrivals returns the lowest TTL at which an address is known to be
// that of a router: one that answered there otherwise than by an arrival; or
// one whose arrival quotes a TTL above 1, so that it is nearer than the TTL
// probed, at a distance where the flow's probe expired.
func (t *trace) routersOfArrivals() map[netip.Addr]int {
	nearest := make(map[netip.Addr]int)
	for flow := range t.flows {
		for ttl := t.sentTop; ttl >= 1; ttl-- {
			a := t.answerAt(flow, ttl)
			if a == nil {
				continue
			}
			at := ttl
			if a.arrival {
				at = ttl - int(a.qttl) + 1
				if !t.isForeignArrival(a) || at < 1 || at >= ttl {
					continue
				}
				if hop := t.answerAt(flow, at); hop == nil || hop.ends {
					continue
				}
			}
			if before, known := nearest[a.from]; !known || at < before {
				nearest[a.from] = at
			}
		}
	}
	return nearest
}

func (t *trace) hasForeignArrival() bool {
	for i := range t.answers {
		if t.isForeignArrival(&t.answers[i]) {
			return true
		}
	}
	return false
}

// isForeignArrival reports whether an answer is an arrival by an ICMP error
// from another address than the target's.
func (t *trace) isForeignArrival(a *answer) bool {
	return a.arrival && a.from != t.lease.Target && a.kind.IsError()
}

// answerAt returns the answer to the probe of flow and TTL, nil if there is
// none.
func (t *trace) answerAt(flow, ttl int) *answer {
	if s := t.slot(flow, ttl); s.answer != 0 {
		return &t.answers[s.answer-1]
	}
	return nil
}
