package prober_test

import (
	"context"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
)

var stops = map[prober.Stop]string{prober.Reached: "reached", prober.Blocked: "blocked", prober.Exhausted: "exhausted"}

// TestScenarios runs every scenario file in memory under virtual time, for
// each expectation, method and family in it.
func TestScenarios(t *testing.T) {
	files, err := fs.Glob(netsim.Scenarios(), "*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		s, err := netsim.Load(netsim.Scenarios(), file)
		if err != nil {
			t.Fatal(err)
		}
		for i, expect := range s.Expect {
			for _, method := range expect.Methods {
				for _, target := range s.Addresses() {
					family := map[bool]netsim.Family{false: netsim.IPv4, true: netsim.IPv6}[target.Is6()]
					if len(expect.Families) > 0 && !slices.Contains(expect.Families, family) {
						continue
					}
					t.Run(fmt.Sprintf("%s/%d/%s/%s", strings.TrimSuffix(file, ".yaml"), i, method, family), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { runScenario(t, s, expect, method, target) })
					})
				}
			}
		}
	}
}

func runScenario(t *testing.T, s *netsim.Scenario, expect netsim.Expectation, method string, target netip.Addr) {
	network, err := netsim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	engine := startEngine(t, netsim.NewMemory(network, network.Host()))
	time.Sleep(expect.Start)
	m, err := prober.ParseMethod(method)
	if err != nil {
		t.Fatal(err)
	}
	result, err := engine.Trace(t.Context(), prober.Spec{
		Target: target, Method: m, MaxTTL: expect.MaxTTL, PacketsPerTTL: expect.Packets, Port: expect.Port, Wait: expect.Wait,
	})
	if err != nil {
		t.Fatal(err)
	}
	compare(t, result, expect, target.Is6())
	consistent(t, result)
}

// startEngine returns an engine without limits of rate, closed by the test's
// end.
func startEngine(t *testing.T, transport prober.Transport) *prober.Engine {
	t.Helper()
	engine, err := prober.New(transport, prober.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// compare holds a result against what the scenario's author expects.
func compare(t *testing.T, r *prober.Result, want netsim.Expectation, v6 bool) {
	t.Helper()
	if got := stops[r.Stop]; want.Stop != "" && got != want.Stop {
		t.Errorf("stop is %q, want %q", got, want.Stop)
	}
	s := prober.Summarise(r)
	if len(s.Hops) != len(want.Hops) {
		t.Errorf("%d hops, want %d:\n%s", len(s.Hops), len(want.Hops), describe(s))
		return
	}
	for _, w := range want.Hops {
		compareHop(t, s.Hops[w.TTL-1], w, v6)
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

func compareHop(t *testing.T, got prober.HopSummary, want netsim.ExpectedHop, v6 bool) {
	t.Helper()
	if want.Sent != nil && got.Sent != *want.Sent || want.Lost != nil && got.Lost != *want.Lost {
		t.Errorf("TTL %d: %d sent, %d lost; want %s, %s", got.TTL, got.Sent, got.Lost, number(want.Sent), number(want.Lost))
	}
	if !want.Any && len(got.Nodes) != len(want.Nodes) || want.Any && len(got.Nodes) == 0 {
		t.Errorf("TTL %d: %d nodes, want %d", got.TTL, len(got.Nodes), len(want.Nodes))
	}
	for _, n := range got.Nodes {
		if !slices.ContainsFunc(want.Nodes, func(w netsim.ExpectedNode) bool { return isNode(n, w, v6) }) {
			t.Errorf("TTL %d: node %v %v count %d min %v is not expected", got.TTL, n.Addr, n.Labels, n.RTT.Count(), n.RTT.Min())
		}
	}
}

func isNode(got prober.NodeSummary, want netsim.ExpectedNode, v6 bool) bool {
	return got.Addr == want.Address.For(v6) && slices.Equal(got.Labels, want.Labels) &&
		(want.Count == nil || got.RTT.Count() == *want.Count) && got.RTT.Min() >= want.RTT
}

func number(n *int) string {
	if n == nil {
		return "any"
	}
	return fmt.Sprint(*n)
}

func describe(s prober.Summary) string {
	var b strings.Builder
	for _, h := range s.Hops {
		fmt.Fprintf(&b, "%2d sent %d lost %d", h.TTL, h.Sent, h.Lost)
		for _, n := range h.Nodes {
			fmt.Fprintf(&b, " %v×%d%v", n.Addr, n.RTT.Count(), n.Labels)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// consistent holds what is true of every result.
func consistent(t *testing.T, r *prober.Result) {
	t.Helper()
	if r.Stop == prober.Running {
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
	for i, h := range prober.Summarise(r).Hops {
		answered := 0
		for _, n := range h.Nodes {
			answered += n.RTT.Count()
			if mean := time.Duration(n.RTT.Mean()); n.RTT.Min() > mean+1 || mean > n.RTT.Max() {
				t.Errorf("TTL %d: min %v, mean %v, max %v", h.TTL, n.RTT.Min(), mean, n.RTT.Max())
			}
		}
		if int(h.TTL) != i+1 || h.Sent != h.Lost+answered {
			t.Errorf("hop %d: TTL %d, %d sent, %d lost, %d answered", i, h.TTL, h.Sent, h.Lost, answered)
		}
	}
}

// TestCancel: when the caller is gone, no further probe leaves.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, err := netsim.New(netsim.Chain(20, 200*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		memory := netsim.NewMemory(network, network.Host())
		engine := startEngine(t, memory)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err = engine.Trace(ctx, prober.Spec{Target: netip.MustParseAddr("198.18.255.1")})
		if err == nil || time.Since(started) != 30*time.Millisecond {
			t.Fatalf("cancelled after %v: %v", time.Since(started), err)
		}
		atCancel := memory.Counts().Sent
		time.Sleep(5 * time.Second)
		if now := memory.Counts().Sent; now != atCancel || atCancel == 0 {
			t.Errorf("%d probes sent when cancelled, %d later", atCancel, now)
		}
	})
}
