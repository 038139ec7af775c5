package prober

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// sentProbe is a probe that was sent, and what it was built with.
type sentProbe struct {
	trace     *trace
	flow, ttl int
	mark      packet.Mark
	bytes     []byte
}

// answering is an engine's look-up with traces under way. Of each trace the
// probes up to some TTL were sent and those beyond were not.
type answering struct {
	engine *Engine
	probes []sentProbe
}

const (
	answeredMaxTTL = 12
	answeredUpTo   = 8
)

// newAnswering starts two traces of a type to one target and one to another.
func newAnswering(t testing.TB, typ packet.Type, ipv6 bool) answering {
	t.Helper()
	method := map[packet.Type]traceroute.Method{packet.ICMP: traceroute.ICMP, packet.UDP: traceroute.UDP, packet.TCP: traceroute.TCP, packet.GRE: traceroute.GRE, packet.GREEcho: traceroute.GREICMP}[typ]
	a := answering{engine: &Engine{identity: sharedIdentity()}}
	source, targets := netip.MustParseAddr("192.0.2.1"), []string{"198.51.100.9", "198.51.100.9", "198.51.100.10"}
	if ipv6 {
		source, targets = netip.MustParseAddr("2001:db8::1"), []string{"2001:db8:9::9", "2001:db8:9::9", "2001:db8:9::a"}
	}
	var traces []*trace
	for i, target := range targets {
		spec, err := traceroute.Spec{Target: netip.MustParseAddr(target), Method: method, MaxTTL: answeredMaxTTL, PacketsPerTTL: 2}.Complete()
		if err != nil {
			t.Fatal(err)
		}
		traces = append(traces, newTrace(spec, typ, source, uint64(i)+1))
	}
	if a.engine.identity.reserve(traces, 0) != nil {
		t.Fatal("too few identifiers")
	}
	t.Cleanup(func() {
		for _, tr := range traces {
			a.engine.identity.release(tr, 0)
		}
	})
	for _, tr := range traces {
		if err := tr.craft(); err != nil {
			t.Fatal(err)
		}
		for ttl := 1; ttl <= answeredUpTo; ttl++ {
			for flow := range tr.flows {
				p := sentProbe{trace: tr, flow: flow, ttl: ttl, mark: tr.reserve(flow, ttl, 0, 0, a.engine.identity)}
				p.bytes = make([]byte, packet.MaxProbeLen)
				p.bytes = p.bytes[:tr.flows[flow].template.Build(p.bytes, p.mark)]
				a.probes = append(a.probes, p)
			}
		}
	}
	return a
}

// FuzzAnswer takes right answers to probes that were sent, changes them, and
// holds what becomes of them: no answer matches a probe that was not sent, and
// none one that it does not name and prove.
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
		m, why := a.engine.identity.find(&r, 0)
		if why == matched {
			a.holdMatch(t, m, &r)
		}
		for range 3 { // the answer, and duplicates of it
			a.engine.dispatch(&r, receipt{user: moment{mono: mono.Instant(time.Millisecond)}})
			a.holdTraces(t)
		}
	})
}

// holdMatch: a match names a trace of ours, and if it names a probe that was
// sent, then by what only that probe held.
func (a answering) holdMatch(t *testing.T, m match, r *packet.Reply) {
	t.Helper()
	if m.ttl == 0 {
		if r.Kind != packet.UDPAnswer && r.Kind != packet.GREAnswer && r.Kind != packet.Reset {
			t.Fatalf("%v names a flow and no probe", r.Kind)
		}
		if r.From != m.trace.target {
			t.Fatalf("%v from %v is taken for an answer of %v", r.Kind, r.From, m.trace.target)
		}
		return
	}
	for _, p := range a.probes {
		if p.trace != m.trace || p.flow != m.flow || p.ttl != m.ttl {
			continue
		}
		if r.Kind.IsError() && !p.quotedBy(&r.Quote) || !r.Kind.IsError() && !p.answeredBy(r) {
			t.Fatalf("TTL %d of flow %d: %+v is no proof of it", p.ttl, p.flow, r)
		}
		return
	}
	if m.ttl <= answeredUpTo || m.ttl > answeredMaxTTL {
		t.Fatalf("match of TTL %d, flow %d", m.ttl, m.flow)
	}
	// Not sent yet: the trace itself knows that, see holdTraces.
}

// quotedBy: the quote identifies the flow, and holds the TTL and keyed bits of
// the probe in one place or in two (docs/adr/0001).
func (p *sentProbe) quotedBy(q *packet.Quote) bool {
	f := &p.trace.flows[p.flow]
	v4 := p.trace.target.Is4()
	tagged := q.HasTag && q.Tag == p.mark.Tag
	labelled := !v4 && q.FlowLabel == f.label()
	numbered := uint16(q.Sequence) == uint16(p.mark.Sequence)
	if q.Target != p.trace.target {
		return false
	}
	identified := v4 && q.IPID == p.mark.IPID
	summed := q.Checksum == f.checksum()
	endpoint := q.SourcePort == f.sourcePort && q.TargetPort == p.trace.port
	switch p.trace.typ {
	case packet.ICMP:
		return q.EchoID == uint16(f.handle) && (tagged || numbered && (summed || labelled) || identified && (summed || numbered))
	case packet.UDP:
		return endpoint && (tagged || numbered || identified)
	case packet.TCP:
		return endpoint && (q.Sequence == p.mark.Sequence || q.HasTag && uint32(q.Tag) == uint32(p.mark.Tag) || identified)
	}
	return q.Key == f.key() && (tagged || identified || int(q.Length) == len(p.bytes) || q.HasSequence && numbered && q.EchoID == uint16(f.handle))
}

// answeredBy: the reply of the target holds what was sent to it.
func (p *sentProbe) answeredBy(r *packet.Reply) bool {
	f := &p.trace.flows[p.flow]
	numbered := r.HasSequence && uint16(r.Sequence) == uint16(p.mark.Sequence)
	switch r.Kind {
	case packet.EchoReply:
		return r.EchoID == uint16(f.handle) && uint16(r.Sequence) == uint16(p.mark.Sequence) &&
			(r.HasTag && r.Tag == p.mark.Tag || p.trace.typ == packet.ICMP && r.From == p.trace.target)
	case packet.SynAck, packet.Reset:
		return r.From == p.trace.target && r.SourcePort == p.trace.port && r.TargetPort == f.sourcePort &&
			(r.Sequence == p.mark.Sequence || r.Kind == packet.Reset && r.Sequence+1 == p.mark.Sequence)
	case packet.UDPAnswer:
		return r.From == p.trace.target && r.SourcePort == p.trace.port && r.TargetPort == f.sourcePort && numbered
	case packet.Decapsulated:
		return r.From == p.trace.target && r.Key == f.key() && r.Tag == p.mark.Tag
	}
	return false
}

// holdTraces: only probes that were sent have answers, and no more than one.
func (a answering) holdTraces(t *testing.T) {
	t.Helper()
	owners := map[*trace]map[int32]bool{}
	for _, p := range a.probes {
		owners[p.trace] = map[int32]bool{}
	}
	for tr, seen := range owners {
		for i, s := range tr.slots {
			if s.answer == 0 {
				continue
			}
			if s.state != sent {
				t.Fatalf("probe %d has an answer and was not sent", i)
			}
			if seen[s.answer] || int(s.answer) > len(tr.answers) {
				t.Fatalf("probe %d has answer %d of %d, which others have too", i, s.answer, len(tr.answers))
			}
			seen[s.answer] = true
		}
		if len(tr.answers) > 2*len(tr.slots) {
			t.Fatalf("%d answers kept for %d probes", len(tr.answers), len(tr.slots))
		}
	}
}

// TestRightAnswersMatch: what FuzzAnswer starts from is right, so that it does
// not hold its promises for want of matches.
func TestRightAnswersMatch(t *testing.T) {
	for typ := packet.ICMP; typ <= packet.GREEcho; typ++ {
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
					m, why := a.engine.identity.find(&r, 0)
					if why != matched || m.trace != p.trace || m.flow != p.flow || m.ttl != p.ttl && m.ttl != 0 {
						t.Errorf("%v, form %d, TTL %d of flow %d: fate %v, TTL %d of flow %d", typ, form, p.ttl, p.flow, why, m.ttl, m.flow)
					}
				}
			}
		}
	}
}
