package prober

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// sharedRegistry saves the making of 200,000 identifiers for each test. Tests
// that do not run in parallel may share it.
var sharedRegistry = sync.OnceValue(func() *ident.Registry[*trace] {
	var ports []uint16
	for p := range 64 {
		ports = append(ports, uint16(33000+p))
	}
	return ident.New[*trace](ports)
})

// testTrace is a trace to 198.51.100.1 with identifiers and without an engine;
// they are released with the test.
func testTrace(t testing.TB, spec traceroute.Spec, typ packet.Type) *trace {
	t.Helper()
	spec.Target = netip.MustParseAddr("198.51.100.1")
	spec, err := spec.Complete()
	if err != nil {
		t.Fatal(err)
	}
	tr := newTrace(spec, typ, strategyOf(&spec, typ), rand.Uint64(), make(chan struct{}, 1))
	if sharedRegistry().Reserve(0, ident.Request[*trace]{Lease: &tr.lease, Flows: len(tr.flows)}) != nil {
		t.Fatal("too few identifiers")
	}
	t.Cleanup(func() { sharedRegistry().Release(&tr.lease, 0) })
	tr.source = netip.MustParseAddr("198.51.100.2")
	for i := range tr.flows {
		tr.flows[i].egress = pacing.Egress{Source: tr.source}
		tr.lease.Flow(i).Source = tr.source
	}
	tr.strategy.Start(0)
	return tr
}

// TestAnswersAreKeptOnce: whatever is sent, answered, placed anew and withdrawn,
// only probes that were sent have answers, each its own, and a flood takes no
// memory.
func TestAnswersAreKeptOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		typ := rapid.SampledFrom(packet.Types()).Draw(rt, "type")
		tr := testTrace(t, traceroute.Spec{MaxTTL: 6, PacketsPerTTL: 2}, typ)
		now := mono.Instant(0)
		draw := func() (flow, ttl int) {
			return rapid.IntRange(0, 1).Draw(rt, "flow"), rapid.IntRange(1, 6).Draw(rt, "ttl")
		}
		reply := func() *answer {
			a := &answer{receipt: receipt{user: moment{mono: now}}, from: tr.lease.Target, kind: traceroute.TimeExceeded}
			if rapid.Bool().Draw(rt, "ends") {
				a.kind, a.arrival, a.ends = traceroute.UDPAnswer, true, true
			}
			return a
		}
		rt.Repeat(map[string]func(*rapid.T){
			"send": func(*rapid.T) {
				if flow, ttl := draw(); tr.slot(flow, ttl).state != sent {
					tr.register(flow, ttl, now, 0)
				}
			},
			"withdraw": func(*rapid.T) {
				if flow, ttl := draw(); tr.slot(flow, ttl).state == sent {
					tr.withdraw(flow, ttl)
				}
			},
			"answer":   func(*rapid.T) { flow, ttl := draw(); tr.onReply(flow, ttl, reply()) },
			"unplaced": func(*rapid.T) { flow, _ := draw(); tr.onUnplaced(flow, reply()) },
			"time":     func(*rapid.T) { now = now.Add(300 * time.Millisecond) },
			"": func(rt *rapid.T) {
				seen := map[int32]bool{}
				for i, s := range tr.slots {
					if s.answer == 0 {
						continue
					}
					if s.state != sent || seen[s.answer] || int(s.answer) > len(tr.answers) {
						rt.Fatalf("probe %d, state %d, has answer %d of %d", i, s.state, s.answer, len(tr.answers))
					}
					seen[s.answer] = true
				}
				for i := range tr.flows {
					if end, top := int(tr.flows[i].end), tr.sentTop; end > top {
						rt.Fatalf("flow %d ends at TTL %d, %d were probed", i, end, top)
					}
				}
			},
		})
	})
}
