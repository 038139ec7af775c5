package prober_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

func stopName(s traceroute.Stop) string {
	return map[traceroute.Stop]string{traceroute.Reached: "reached", traceroute.Blocked: "blocked", traceroute.Exhausted: "exhausted"}[s]
}

// hops are what the case expects, for both halves of a GREICMP trace.
func (c scenarioCase) hops() []netsim.ExpectedHop {
	hops := c.expect.EachHop()
	if c.method == traceroute.GREICMP {
		hops = netsim.Halves(hops, "GRE", "ICMP")
	}
	return hops
}

// compare holds a result against what the scenario's author expects.
func (c scenarioCase) compare(t *testing.T, r *traceroute.Result) {
	t.Helper()
	want := c.expect
	if got := stopName(r.Stop); want.Stop != "" && got != want.Stop {
		t.Errorf("stop is %q, want %q", got, want.Stop)
	}
	s, hops := stats.Summarize(r), c.hops()
	if got := s.Target.Count; differs(want.Summary, got) {
		t.Errorf("the target's summary counts %d packets, want %d", got, *want.Summary)
	}
	least := len(hops)
	for least > 0 && hops[least-1].Maybe {
		least--
	}
	if len(s.Hops) < least || len(s.Hops) > len(hops) {
		t.Errorf("%d hops, want %d to %d:\n%s", len(s.Hops), least, len(hops), describe(s))
		return
	}
	for i, got := range s.Hops {
		c.compareHop(t, got, hops[i])
		compareAnswers(t, r, hops[i])
	}
	if want.Limited != nil && !slices.EqualFunc(r.Limited, want.Limited, func(a uint8, b int) bool { return int(a) == b }) {
		t.Errorf("limited at %v, want %v", r.Limited, want.Limited)
	}
	for name, c := range map[string]struct {
		got  int
		want *int
	}{
		"beyond": {r.Counts.Beyond, want.Counts.Beyond}, "duplicates": {r.Counts.Duplicates, want.Counts.Duplicates},
		"late": {r.Counts.Late, want.Counts.Late}, "forged": {r.Counts.Forged, want.Counts.Forged},
	} {
		if c.want != nil && c.got != *c.want {
			t.Errorf("count %s is %d, want %d", name, c.got, *c.want)
		}
	}
	if t.Failed() {
		t.Logf("got:\n%s%+v", describe(s), r.Counts)
	}
}

func (c scenarioCase) compareHop(t *testing.T, got traceroute.Hop, want netsim.ExpectedHop) {
	t.Helper()
	if want.Sent != nil && got.Sent != *want.Sent || want.Lost != nil && got.Lost != *want.Lost {
		t.Errorf("TTL %d: %d sent, %d lost; want %s, %s", got.TTL, got.Sent, got.Lost, number(want.Sent), number(want.Lost))
	}
	if !want.Any && len(got.Nodes) != len(want.Nodes) || want.Any && len(got.Nodes) == 0 {
		t.Errorf("TTL %d: %d nodes, want %d", got.TTL, len(got.Nodes), len(want.Nodes))
	}
	for _, n := range got.Nodes {
		if !slices.ContainsFunc(want.Nodes, func(w netsim.ExpectedNode) bool { return isNode(n, w, c.target.Is6()) }) {
			t.Errorf("TTL %d: node %v %v count %d min %v is not expected", got.TTL, n.Addr, n.Labels, n.Count, n.Min)
		}
	}
}

func isNode(got traceroute.Node, want netsim.ExpectedNode, v6 bool) bool {
	return got.Addr == want.Address.For(v6) && slices.Equal(got.Labels, want.Labels) &&
		(want.Count == nil || got.Count == *want.Count) && got.Min >= want.RTT
}

// compareAnswers holds each answer of a TTL against what its node is expected
// to say.
func compareAnswers(t *testing.T, r *traceroute.Result, hop netsim.ExpectedHop) {
	t.Helper()
	for _, p := range r.Probes {
		a := p.Answer
		if int(p.TTL) != hop.TTL || a == nil {
			continue
		}
		for _, want := range hop.Nodes {
			if want.Address.For(a.From.Is6()) != a.From {
				continue
			}
			interfaces, objects := 0, 0
			if a.Extensions != nil {
				interfaces, objects = len(a.Extensions.Interfaces), len(a.Extensions.Objects)
			}
			if differs(want.QuotedTTL, a.QuotedTTL) || differs(want.QuotedTOS, a.QuotedTOS) ||
				differs(want.Interfaces, interfaces) || differs(want.Objects, objects) {
				t.Errorf("TTL %d: %v quotes TTL %d, TOS %d, with %d interfaces and %d other objects; want %+v",
					p.TTL, a.From, a.QuotedTTL, a.QuotedTOS, interfaces, objects, want)
			}
		}
	}
}

func differs[T comparable](want *T, got T) bool { return want != nil && *want != got }

// checkVirtualRTT: in virtual time the fastest round trip takes exactly what
// the scenario says.
func checkVirtualRTT(t *testing.T, r *traceroute.Result, hop netsim.ExpectedHop) {
	t.Helper()
	for _, want := range hop.Nodes {
		if want.RTT == 0 {
			continue
		}
		for _, p := range r.Probes {
			if int(p.TTL) == hop.TTL && p.Answer != nil && p.Answer.From == want.Address.For(r.Spec.Target.Is6()) && p.Answer.RTT != want.RTT {
				t.Errorf("TTL %d: RTT %v, want exactly %v", p.TTL, p.Answer.RTT, want.RTT)
			}
		}
	}
}

func number(n *int) string {
	if n == nil {
		return "any"
	}
	return fmt.Sprint(*n)
}

func describe(s traceroute.Summary) string {
	var b strings.Builder
	for _, h := range s.Hops {
		fmt.Fprintf(&b, "%2d sent %d lost %d", h.TTL, h.Sent, h.Lost)
		for _, n := range h.Nodes {
			fmt.Fprintf(&b, " %v×%d%v", n.Addr, n.Count, n.Labels)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// consistent holds what is true of every result.
func consistent(t testing.TB, r *traceroute.Result) {
	t.Helper()
	if r.Stop == traceroute.Running {
		t.Error("a finished trace says that it is running")
	}
	for i, p := range r.Probes {
		if p.TTL < 1 || int(p.TTL) > r.Spec.MaxTTL || int(p.Flow) >= r.Spec.PacketsPerTTL {
			t.Errorf("probe %d: TTL %d, flow %d", i, p.TTL, p.Flow)
		}
		if i > 0 && p.TTL < r.Probes[i-1].TTL {
			t.Errorf("probe %d: TTLs do not ascend", i)
		}
		if a := p.Answer; a != nil && (a.RTT < 0 || a.RTT > r.Spec.Wait+time.Millisecond || !a.From.IsValid()) {
			t.Errorf("probe %d: RTT %v from %v", i, a.RTT, a.From)
		}
	}
	consistentHops(t, r)
}

func consistentHops(t testing.TB, r *traceroute.Result) {
	t.Helper()
	arrived := 0
	hops := stats.Summarize(r).Hops
	for i, h := range hops {
		answered := 0
		for _, n := range h.Nodes {
			answered += n.Count
			if mean := n.Mean; n.Min > mean+1 || mean > n.Max {
				t.Errorf("TTL %d: min %v, mean %v, max %v", h.TTL, n.Min, mean, n.Max)
			}
		}
		if int(h.TTL) != i+1 || h.Sent != h.Lost+answered || h.Sent == 0 {
			t.Errorf("hop %d: TTL %d, %d sent, %d lost, %d answered", i, h.TTL, h.Sent, h.Lost, answered)
		}
	}
	for _, p := range r.Probes {
		if p.Answer != nil && p.Answer.Arrival {
			arrived = max(arrived, int(p.TTL))
		}
	}
	if reached := r.Stop == traceroute.Reached; reached != (arrived > 0) || reached && arrived != len(hops) {
		t.Errorf("stop %v with %d hops, the target answered up to TTL %d", stopName(r.Stop), len(hops), arrived)
	}
}
