package prober

import (
	"net/netip"
	"slices"
)

// Redact returns a copy of r that does not tell who is within the first hops:
// answers at TTLs up to hops keep RTT, kind and code, so that none looks lost,
// but have no From and no Extensions, which hold addresses and MPLS labels of
// whoever answered. An address that answered there is hidden at later TTLs
// too: a gateway that forwards nothing would show itself one hop further on.
// Source, which is in front of the first hop, is hidden as well. The address
// of the target is never hidden: whoever asked for the trace was told it. With
// hops below 1 it returns r itself.
func Redact(r *Result, hops int) *Result {
	if hops < 1 {
		return r
	}
	hidden := make(map[netip.Addr]bool)
	for i := range r.Probes {
		p := &r.Probes[i]
		if p.Answer != nil && int(p.TTL) <= hops && p.Answer.From != r.Spec.Target {
			hidden[p.Answer.From] = true
		}
	}
	c := *r
	c.Source = netip.Addr{}
	c.Probes = slices.Clone(r.Probes)
	for i := range c.Probes {
		p := &c.Probes[i]
		if p.Answer == nil || int(p.TTL) > hops && !hidden[p.Answer.From] {
			continue
		}
		answer := *p.Answer
		answer.Extensions = nil
		if hidden[answer.From] {
			answer.From = netip.Addr{}
		}
		p.Answer = &answer
	}
	return &c
}
