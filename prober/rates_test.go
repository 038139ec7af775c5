package prober_test

import (
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// New rates hold at once, also for a trace that waits for its turn by the old
// ones, and whether or not there was a limit before.
func TestSetRates(t *testing.T) {
	const probes = 4 * 3 // TTLs and packets of each
	slow := prober.Options{Rate: 2, NearHopRate: 1}
	for _, tt := range []struct {
		name          string
		before, after prober.Options
		least, most   time.Duration // that the trace takes
	}{
		{"lifted", slow, prober.Options{}, time.Second, 3 * time.Second},
		{"raised", slow, prober.Options{Rate: 1000, NearHopRate: 1000}, time.Second, 3 * time.Second},
		{"set", prober.Options{}, prober.Options{Rate: 2}, (probes - 4) * time.Second / 2, probes * time.Second / 2 * 3},
		{"near hops only", slow, prober.Options{NearHopRate: 1000}, time.Second, 3 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				scenario := netsim.Chain(3, 20*time.Millisecond)
				scenario.Target.Addresses = []netsim.Address{netsim.N(999)}
				network, err := netsim.New(scenario)
				if err != nil {
					t.Fatal(err)
				}
				engine := startEngine(t, netsim.NewMemory(network, network.Host()))
				engine.SetRates(tt.before)
				started := time.Now()
				done := make(chan *traceroute.Result)
				go func() {
					result, err := engine.Trace(t.Context(), traceroute.Spec{
						Target: netsim.N(999).For(false), Method: traceroute.ICMP, MaxTTL: 4, PacketsPerTTL: 3, Wait: time.Second,
					}, prober.Feed{})
					if err != nil {
						t.Error(err)
					}
					done <- result
				}()
				if tt.before != (prober.Options{}) {
					time.Sleep(time.Second)
				}
				engine.SetRates(tt.after)
				<-done
				if took := time.Since(started); took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}
