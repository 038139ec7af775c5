//go:build linux

package kernel

import (
	"cmp"
	"net/netip"
	"slices"
)

// Verdict is why a node answers a probe.
type Verdict uint8

// The verdicts.
const (
	Expired Verdict = iota + 1 // time exceeded in transit
	Refused                    // destination unreachable from a router
	Arrived                    // the target's answer, whatever the probe's type makes it
)

// Answer is what a topology makes of a probe.
type Answer struct {
	From    netip.Addr
	Verdict Verdict
	Code    uint8 // of a Refused
}

// Hops returns, for TTL 1, 2, 3…, the answers that a probe to a target address
// of one family may get, one per path that flows can take, sorted by address;
// none where everything is silent. The list ends with the TTL at which the
// last path has ended in an answer, or at maxTTL. DropEvery is disregarded.
func (l *Lab) Hops(ipv6 bool, maxTTL int) [][]Answer {
	return l.plan.hops(ipv6, maxTTL)
}

// Paths returns every way through the topology as the addresses that answer
// for TTL 1, 2, 3…, the target's first address last. What routers do to
// probes is disregarded. The number of paths is the product of the widths of
// all diamonds.
func (l *Lab) Paths(ipv6 bool) [][]netip.Addr {
	return l.plan.paths(0, ipv6)
}

// fate is where a packet with TTL left has got to: the place it arrives at, or
// an end that it meets there at every higher TTL too.
type fate struct {
	place int
	ended bool
	end   Answer // zero: vanished
}

func (p *plan) hops(ipv6 bool, maxTTL int) [][]Answer {
	var hops [][]Answer
	now := []fate{{place: 0}}
	for len(hops) < maxTTL {
		var answers []Answer
		var then []fate
		over := true
		for _, f := range now {
			answer, on := p.step(f, ipv6)
			if answer != (Answer{}) && !slices.Contains(answers, answer) {
				answers = append(answers, answer)
			}
			for _, n := range on {
				over = over && n.ended && n.end != (Answer{}) && n.end == answer
				if !slices.Contains(then, n) {
					then = append(then, n)
				}
			}
		}
		slices.SortFunc(answers, func(a, b Answer) int {
			return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Verdict, b.Verdict))
		})
		hops = append(hops, answers)
		if over {
			break
		}
		now = then
	}
	return hops
}

// step returns the answer to a packet whose TTL ends where f is, and what
// becomes of one with a higher TTL.
func (p *plan) step(f fate, ipv6 bool) (Answer, []fate) {
	if f.ended {
		return f.end, []fate{f}
	}
	if f.place == len(p.Routers) {
		end := Answer{From: targetAddress(0, ipv6), Verdict: Arrived}
		if p.Target.Silent {
			end = Answer{}
		}
		return end, []fate{{ended: true, end: end}}
	}
	r := p.Routers[f.place]
	self := p.answerAddress(f.place, ipv6)
	if end, refuses := r.refusal(self, ipv6); refuses {
		if r.early() {
			return end, []fate{{ended: true, end: end}}
		}
		return r.expired(self), []fate{{ended: true, end: end}}
	}
	if r.Route == Back {
		return r.expired(self), []fate{{place: p.previous(f.place)}}
	}
	var on []fate
	for _, far := range p.next(f.place) {
		on = append(on, fate{place: far})
	}
	return r.expired(self), on
}

// answerAddress is the address that a router's errors come from, which its
// routes to the host name: that of the interface that leads back.
func (p *plan) answerAddress(place int, ipv6 bool) netip.Addr {
	return p.links[p.uplink[place]].address(far, ipv6)
}

func (r Router) expired(self netip.Addr) Answer {
	if r.Silent {
		return Answer{}
	}
	return Answer{From: self, Verdict: Expired}
}

// early reports whether a refusal comes for the router's own TTL too.
func (r Router) early() bool {
	return r.Route > Back || r.Reject != nil && r.Reject.Early
}

// refusal returns the end that a router makes of every path through it.
func (r Router) refusal(self netip.Addr, ipv6 bool) (end Answer, refuses bool) {
	var code4, code6 uint8
	switch {
	case r.Reject != nil:
		code4, code6 = r.Reject.IPv4, r.Reject.IPv6
	case r.Route == Unreachable:
		code4, code6 = 1, 0
	case r.Route == Prohibit:
		code4, code6 = 13, 1
	case r.Route == None:
		code4, code6 = 0, 0
	default:
		return Answer{}, r.Blackhole || r.Route == Discard
	}
	if r.Silent || r.Reject != nil && r.Reject.Silent {
		return Answer{}, true
	}
	if ipv6 {
		return Answer{self, Refused, code6}, true
	}
	return Answer{self, Refused, code4}, true
}

func (p *plan) paths(place int, ipv6 bool) [][]netip.Addr {
	if place == len(p.Routers) {
		return [][]netip.Addr{{targetAddress(0, ipv6)}}
	}
	var all [][]netip.Addr
	for _, far := range p.next(place) {
		for _, rest := range p.paths(far, ipv6) {
			all = append(all, slices.Insert(rest, 0, p.answerAddress(place, ipv6)))
		}
	}
	return all
}
