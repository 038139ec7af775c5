package stats_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"probe-agent/stats"
	"probe-agent/traceroute"
)

// TestSummaryAdd: rounds added up are what one trace with all their probes
// would have come to, however they are cut.
func TestSummaryAdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		method := rapid.SampledFrom([]traceroute.Method{traceroute.ICMP, traceroute.GREICMP}).Draw(t, "method")
		hops := rapid.IntRange(1, 4).Draw(t, "hops")
		whole := &traceroute.Result{Spec: traceroute.Spec{Method: method, Target: netip.MustParseAddr("192.0.2.9")}}
		var rounds []*traceroute.Result
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			round := &traceroute.Result{Spec: whole.Spec}
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
		var got stats.Accumulator
		for _, round := range rounds {
			got.Add(round)
		}
		sameAddr := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		rounded := cmp.Comparer(func(a, b time.Duration) bool { return (a - b).Abs() <= 1 }) // the order of adding may tip it
		if diff := cmp.Diff(stats.Summarize(whole), got.Summary(), sameAddr, rounded); diff != "" {
			t.Fatalf("summary (-at once +added up):\n%s", diff)
		}
	})
}

func drawProbe(t *rapid.T, ttl uint8, method traceroute.Method) traceroute.Probe {
	p := traceroute.Probe{TTL: ttl, Encapsulated: method == traceroute.GREICMP && rapid.Bool().Draw(t, "encapsulated")}
	if rapid.IntRange(0, 3).Draw(t, "lost") > 0 {
		p.Answer = &traceroute.Answer{
			From:    rapid.SampledFrom([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.9")}).Draw(t, "from"),
			RTT:     time.Duration(rapid.IntRange(0, 1_000_000).Draw(t, "rtt")),
			Arrival: rapid.Bool().Draw(t, "arrival"),
		}
	}
	return p
}
