package prober_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"probe-agent/prober"
	"probe-agent/stats"
)

// TestSummaryAdd: rounds added up are what one trace with all their probes
// would have come to, however they are cut.
func TestSummaryAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]prober.Method{prober.ICMP, prober.GREICMP}).Draw(t, "method")
		hops := rapid.IntRange(1, 4).Draw(t, "hops")
		whole := &prober.Result{Spec: prober.Spec{Method: method, Target: netip.MustParseAddr("192.0.2.9")}}
		var rounds []*prober.Result
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			round := &prober.Result{Spec: whole.Spec}
			for ttl := 1; ttl <= hops; ttl++ {
				round.Probes = append(round.Probes, drawProbe(t, uint8(ttl), method))
			}
			rounds = append(rounds, round)
		}
		for ttl := range hops {
			for _, round := range rounds {
				whole.Probes = append(whole.Probes, round.Probes[ttl])
			}
		}
		var got prober.Summary
		for _, round := range rounds {
			got.Add(prober.Summarise(round))
		}
		same := cmp.Comparer(func(a, b stats.RTT) bool {
			return a.Count() == b.Count() && a.Min() == b.Min() && a.Max() == b.Max() && near(a.Mean(), b.Mean()) && near(a.StdDev(), b.StdDev())
		})
		if diff := cmp.Diff(prober.Summarise(whole), got, same, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
			t.Fatalf("summary (-at once +added up):\n%s", diff)
		}
	})
}

// near allows for the rounding of two ways to the same sum.
func near(a, b float64) bool { return a-b < 1e-3 && b-a < 1e-3 }

func drawProbe(t *rapid.T, ttl uint8, method prober.Method) prober.Probe {
	p := prober.Probe{TTL: ttl, Encapsulated: method == prober.GREICMP && rapid.Bool().Draw(t, "encapsulated")}
	if rapid.IntRange(0, 3).Draw(t, "lost") > 0 {
		p.Answer = &prober.Answer{
			From:    rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")}).Draw(t, "from"),
			RTT:     time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "rtt")),
			Arrival: rapid.Bool().Draw(t, "arrival"),
		}
	}
	return p
}
