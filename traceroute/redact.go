package traceroute

import (
	"maps"
	"net/netip"
	"slices"
)

// Redact returns a copy of r that does not reveal who is within the first hops:
// answers at TTLs up to hops keep RTT, kind and code, so that none looks lost,
// but have no From and no Extensions, which hold addresses and MPLS labels of
// the responder. An address that answered there is hidden at later TTLs too: a
// gateway that forwards nothing would show itself one hop further on. Source,
// which is in front of the first hop, is hidden as well. Extensions of later
// answers keep no object that names any of these and no malformed interface
// object, and those of the first TTL after the hidden ones nothing of the
// interface that leads there. The address of the target is never hidden: the
// client knows it. With hops below 1 it returns r itself.
func Redact(r *Result, hops int) *Result {
	if hops < 1 {
		return r
	}
	redactor := NewRedactor(r.Spec.Target, r.Source, hops)
	redactor.learn(r.Probes)
	c := *r
	c.Source = netip.Addr{}
	c.Probes = redactor.redact(r.Probes)
	return &c
}

// Redactor applies Redact to parts of a trace as they become known. It
// remembers which addresses answered within the first hops. Not safe for
// concurrent use.
type Redactor struct {
	target, source netip.Addr
	hops           int
	hidden         map[netip.Addr]bool
}

// NewRedactor returns a Redactor of the first hops, at least 1, of a trace.
func NewRedactor(target, source netip.Addr, hops int) *Redactor {
	return &Redactor{target: target, source: source, hops: hops, hidden: make(map[netip.Addr]bool)}
}

// Probes returns a redacted copy of probes.
func (d *Redactor) Probes(probes []Probe) []Probe {
	d.learn(probes)
	return d.redact(probes)
}

// Hides reports whether a responder is to be hidden. TTL 0 is unknown.
func (d *Redactor) Hides(r Responder) bool {
	if int(r.TTL) <= d.hops && r.Addr != d.target {
		d.hidden[r.Addr] = true
	}
	return d.hidden[r.Addr]
}

func (d *Redactor) learn(probes []Probe) {
	for i := range probes {
		if p := &probes[i]; p.Answer != nil && int(p.TTL) <= d.hops && p.Answer.From != d.target {
			d.hidden[p.Answer.From] = true
		}
	}
}

func (d *Redactor) redact(probes []Probe) []Probe {
	secret := slices.Collect(maps.Keys(d.hidden))
	if d.source.IsValid() && d.source != d.target {
		secret = append(secret, d.source)
	}
	redacted := slices.Clone(probes)
	for i := range redacted {
		p := &redacted[i]
		if p.Answer == nil {
			continue
		}
		answer := *p.Answer
		if int(p.TTL) <= d.hops || d.hidden[answer.From] {
			answer.Extensions = nil
		} else {
			answer.Extensions = answer.Extensions.without(secret, int(p.TTL) == d.hops+1)
		}
		if d.hidden[answer.From] {
			answer.From = netip.Addr{}
		}
		p.Answer = &answer
	}
	return redacted
}
