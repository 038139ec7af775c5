package prober

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"

	"probe-agent/packet"
)

// Redact returns a copy of r that does not tell who is within the first hops:
// answers at TTLs up to hops keep RTT, kind and code, so that none looks lost,
// but have no From and no Extensions, which hold addresses and MPLS labels of
// whoever answered. An address that answered there is hidden at later TTLs
// too: a gateway that forwards nothing would show itself one hop further on.
// Source, which is in front of the first hop, is hidden as well. Extensions of
// later answers keep no object that names any of these and no malformed
// interface object, and those of the first TTL after the hidden ones nothing of
// the interface that leads there. The address
// of the target is never hidden: whoever asked for the trace was told it. With
// hops below 1 it returns r itself.
func Redact(r *Result, hops int) *Result {
	if hops < 1 {
		return r
	}
	hidden := within(r, hops)
	secret := slices.Collect(maps.Keys(hidden))
	if r.Source.IsValid() && r.Source != r.Spec.Target {
		secret = append(secret, r.Source)
	}
	c := *r
	c.Source = netip.Addr{}
	c.Probes = slices.Clone(r.Probes)
	for i := range c.Probes {
		p := &c.Probes[i]
		if p.Answer == nil {
			continue
		}
		answer := *p.Answer
		if int(p.TTL) <= hops || hidden[answer.From] {
			answer.Extensions = nil
		} else {
			answer.Extensions = discreet(answer.Extensions, secret, int(p.TTL) == hops+1)
		}
		if hidden[answer.From] {
			answer.From = netip.Addr{}
		}
		p.Answer = &answer
	}
	return &c
}

// within returns who answered within the first hops, but for the target.
func within(r *Result, hops int) map[netip.Addr]bool {
	found := make(map[netip.Addr]bool)
	for i := range r.Probes {
		p := &r.Probes[i]
		if p.Answer != nil && int(p.TTL) <= hops && p.Answer.From != r.Spec.Target {
			found[p.Answer.From] = true
		}
	}
	return found
}

// discreet returns the extensions without objects that name one of the secret
// addresses, and at the border without those of the incoming interface: its
// address is on the link to the last hidden node, and its name often says who
// is at the other end. nil when nothing is left.
func discreet(e *packet.Extensions, secret []netip.Addr, border bool) *packet.Extensions {
	if e == nil || e.Empty() {
		return e
	}
	e = e.Clone()
	e.Keep(func(i *packet.Interface) bool {
		return !slices.Contains(secret, i.Address) && (!border || i.Role != packet.RoleIncoming && i.Role != packet.RoleSubIP)
	}, func(o *packet.Object) bool {
		// A malformed interface object names interfaces and addresses in
		// places that cannot be told. Of other objects nothing is known but
		// that they contain a secret address.
		return !o.IsInterface() && !slices.ContainsFunc(secret, func(a netip.Addr) bool { return bytes.Contains(o.Data, a.AsSlice()) })
	})
	if e.Empty() {
		return nil
	}
	return e
}
