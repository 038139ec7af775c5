package prober_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// TestCrowdAtOnePort starts 10,000 traces at once to one open TCP and UDP port of
// one target, which keeps half-open connections as Linux does. They share its
// 256 source ports of each protocol in turn, and lose nothing: the network
// does not.
func TestCrowdAtOnePort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := netsim.Chain(2, 10*time.Millisecond)
		s.Target.TCP.Open, s.Target.UDP.Open = []uint16{443}, []uint16{443}
		network, err := netsim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		engine := startEngine(t, netsim.NewMemory(network, network.Host()))
		var wg sync.WaitGroup
		for i := range 10_000 {
			spec := traceroute.Spec{Target: s.Addresses()[0], Method: traceroute.TCP, Port: 443, MaxTTL: 5, PacketsPerTTL: 3}
			if i%2 == 1 {
				spec.Method = traceroute.UDP
			}
			wg.Go(func() {
				result, err := engine.Trace(t.Context(), spec, prober.Feed{})
				if err != nil {
					t.Error(err)
					return
				}
				sum := stats.Summarize(result)
				for _, hop := range sum.Hops {
					if hop.Lost != 0 || len(sum.Hops) != 3 {
						t.Errorf("%v: TTL %d of %d lost %d of %d", spec.Method, hop.TTL, len(sum.Hops), hop.Lost, hop.Sent)
					}
				}
			})
		}
		wg.Wait()
		if total := engine.Totals(); total.Forged+total.Foreign+total.Malformed > 0 {
			t.Errorf("totals %+v", total)
		}
	})
}
