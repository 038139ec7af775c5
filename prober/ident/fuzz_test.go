package ident

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"testing"

	"probe-agent/packet"
)

// sharedRegistry saves the making of 200,000 identifiers for each test. Tests
// that do not run in parallel may share it.
var sharedRegistry = sync.OnceValue(func() *Registry[string] { return New[string](testPorts(64)) })

// sentProbe is a probe that was sent, and what it was built with.
type sentProbe struct {
	lease     *Lease[string]
	flow, ttl int
	id        packet.ProbeID
	bytes     []byte
}

// answering is a registry with leases. Of each the probes up to some TTL were
// sent and those beyond were not.
type answering struct {
	registry *Registry[string]
	probes   []sentProbe
}

const (
	answeredMaxTTL = 12
	answeredUpTo   = 8
)

// newAnswering makes two leases of a type to one target and one to another.
func newAnswering(t testing.TB, typ packet.Type, ipv6 bool) answering {
	t.Helper()
	a := answering{registry: sharedRegistry()}
	source, targets := netip.MustParseAddr("192.0.2.1"), []string{"198.51.100.9", "198.51.100.9", "198.51.100.10"}
	if ipv6 {
		source, targets = netip.MustParseAddr("2001:db8::1"), []string{"2001:db8:9::9", "2001:db8:9::9", "2001:db8:9::a"}
	}
	for i, target := range targets {
		l := lease(t, a.registry, Lease[string]{
			Owner: target, Type: typ, Target: netip.MustParseAddr(target), Port: 33434, MaxTTL: answeredMaxTTL, Nonce: uint64(i) + 1,
		}, 2, source)
		for ttl := 1; ttl <= answeredUpTo; ttl++ {
			for flow := range l.flows {
				a.probes = append(a.probes, send(t, a.registry, l, flow, ttl))
			}
		}
	}
	return a
}

// lease allocates flows, which are released with the test.
func lease(t testing.TB, r *Registry[string], of Lease[string], flows int, source netip.Addr) *Lease[string] {
	t.Helper()
	l := &of
	if r.Reserve(0, Request[string]{Lease: l, Flows: flows}) != nil {
		t.Fatal("too few identifiers")
	}
	t.Cleanup(func() { r.Release(l, 0); r.Expire(0) })
	for i := range l.flows {
		l.flows[i].Source = source
	}
	return l
}

// send builds the probe of a flow and TTL.
func send(t testing.TB, r *Registry[string], l *Lease[string], flow, ttl int) sentProbe {
	t.Helper()
	template, err := packet.NewTemplate(l.Wire(flow))
	if err != nil {
		t.Fatal(err)
	}
	p := sentProbe{lease: l, flow: flow, ttl: ttl, id: r.Probe(l, flow, uint8(ttl)), bytes: make([]byte, packet.MaxProbeLen)}
	p.bytes = p.bytes[:template.Build(p.bytes, p.id)]
	return p
}

// FuzzAnswer takes right answers to probes that were sent, changes them, and
// holds what becomes of them: none matches a probe that it does not identify and
// authenticate.
func FuzzAnswer(f *testing.F) {
	for form := range answerForms {
		for typ := range uint8(5) {
			f.Add(typ, form%2 == 0, uint8(form), 3*typ, uint16(200), []byte{})
			f.Add(typ, form%2 == 1, uint8(form), uint8(5), uint16(28), []byte{30, 0, 1})
			f.Add(typ, form%2 == 1, uint8(form), uint8(40), uint16(8), []byte{6, 0, 9, 32, 0, 1, 33, 0, 0x80})
		}
	}
	f.Fuzz(func(t *testing.T, typ uint8, ipv6 bool, form, which uint8, quoted uint16, edits []byte) {
		a := newAnswering(t, packet.ICMP+packet.Type(typ%5), ipv6)
		probe := a.probes[int(which)%len(a.probes)]
		in := answerTo(probe.bytes, int(form)%answerForms, int(quoted))
		for ; len(edits) >= 3; edits = edits[3:] {
			if at := int(binary.LittleEndian.Uint16(edits)); at < len(in.Bytes) {
				in.Bytes[at] ^= edits[2]
			}
		}
		mendChecksum(&in)
		var r packet.Reply
		if packet.Parse(&in, &r) != nil {
			return
		}
		m, why := a.registry.Match(&r, 0)
		if why == Matched {
			a.holdMatch(t, m, &r)
		}
	})
}

// holdMatch: if a match names a probe that was sent, then by what only that
// probe held.
func (a answering) holdMatch(t *testing.T, m Match[string], r *packet.Reply) {
	t.Helper()
	if int(m.TTL) == 0 {
		if r.Kind != packet.UDPAnswer && r.Kind != packet.GREAnswer && r.Kind != packet.Reset {
			t.Fatalf("%v names a flow and no probe", r.Kind)
		}
		if r.From != m.lease.Target {
			t.Fatalf("%v from %v is taken for an answer of %v", r.Kind, r.From, m.lease.Target)
		}
		return
	}
	for _, p := range a.probes {
		if p.lease != m.lease || p.flow != int(m.Flow) || p.ttl != int(m.TTL) {
			continue
		}
		if r.Kind.IsError() && !p.quotedBy(&r.Quote) || !r.Kind.IsError() && !p.answeredBy(r) {
			t.Fatalf("TTL %d of flow %d: %+v is no proof of it", p.ttl, p.flow, r)
		}
		return
	}
	if int(m.TTL) <= answeredUpTo || int(m.TTL) > answeredMaxTTL {
		t.Fatalf("match of TTL %d, flow %d", int(m.TTL), int(m.Flow))
	}
	// Not sent yet: the owner knows that.
}

// quotedBy: the quote identifies the flow, and holds the TTL and keyed bits of
// the probe in one place or in two (docs/adr/0001).
func (p *sentProbe) quotedBy(q *packet.Quote) bool {
	f := &p.lease.flows[p.flow]
	v4 := p.lease.Target.Is4()
	tagged := q.HasTag && q.Tag == p.id.Tag
	labelled := !v4 && q.FlowLabel == f.label()
	numbered := uint16(q.Sequence) == uint16(p.id.Sequence)
	if q.Target != p.lease.Target {
		return false
	}
	identified := v4 && q.IPID == p.id.IPID
	summed := q.Checksum == f.Checksum()
	endpoint := q.SourcePort == f.SourcePort && q.TargetPort == p.lease.Port
	switch p.lease.Type {
	case packet.ICMP:
		return q.EchoID == uint16(f.ID) && (tagged || numbered && (summed || labelled) || identified && (summed || numbered))
	case packet.UDP:
		return endpoint && (tagged || numbered || identified)
	case packet.TCP:
		return endpoint && (q.Sequence == p.id.Sequence || q.HasTag && uint32(q.Tag) == uint32(p.id.Tag) || identified)
	}
	return q.Key == f.Key() && (tagged || identified || int(q.Length) == len(p.bytes) || q.HasSequence && numbered && q.EchoID == uint16(f.ID))
}

// answeredBy: the reply of the target holds what was sent to it.
func (p *sentProbe) answeredBy(r *packet.Reply) bool {
	f := &p.lease.flows[p.flow]
	numbered := r.HasSequence && uint16(r.Sequence) == uint16(p.id.Sequence)
	switch r.Kind {
	case packet.EchoReply:
		return r.EchoID == uint16(f.ID) && uint16(r.Sequence) == uint16(p.id.Sequence) &&
			(r.HasTag && r.Tag == p.id.Tag || p.lease.Type == packet.ICMP && r.From == p.lease.Target)
	case packet.SynAck, packet.Reset:
		return r.From == p.lease.Target && r.SourcePort == p.lease.Port && r.TargetPort == f.SourcePort &&
			(r.Sequence == p.id.Sequence || r.Kind == packet.Reset && r.Sequence+1 == p.id.Sequence)
	case packet.UDPAnswer:
		return r.From == p.lease.Target && r.SourcePort == p.lease.Port && r.TargetPort == f.SourcePort && numbered
	case packet.Decapsulated:
		return r.From == p.lease.Target && r.Key == f.Key() && r.Tag == p.id.Tag
	}
	return false
}

// TestRightAnswersMatch: what FuzzAnswer starts from is right, so that it does
// not hold its promises for want of matches.
func TestRightAnswersMatch(t *testing.T) {
	for _, typ := range packet.Types() {
		for _, ipv6 := range []bool{false, true} {
			for form := range answerForms {
				a := newAnswering(t, typ, ipv6)
				for _, p := range a.probes {
					in := answerTo(p.bytes, form, packet.MaxProbeLen)
					mendChecksum(&in)
					var r packet.Reply
					if err := packet.Parse(&in, &r); err != nil {
						t.Fatalf("%v, form %d: %v", typ, form, err)
					}
					m, why := a.registry.Match(&r, 0)
					if why != Matched || m.lease != p.lease || int(m.Flow) != p.flow || int(m.TTL) != p.ttl && int(m.TTL) != 0 {
						t.Errorf("%v, form %d, TTL %d of flow %d: verdict %v, TTL %d of flow %d", typ, form, p.ttl, p.flow, why, int(m.TTL), int(m.Flow))
					}
				}
			}
		}
	}
}
