package prober_test

import (
	"net/netip"
	"testing"
	"testing/synctest"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// TestRoundsProbeOtherFlows: traces that follow each other probe with other
// flows, so one packet per TTL and round shows every branch in time.
func TestRoundsProbeOtherFlows(t *testing.T) {
	for _, method := range []traceroute.Method{traceroute.ICMP, traceroute.TCP, traceroute.UDP, traceroute.GRE} {
		t.Run(method.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, err := netsim.Load(netsim.Scenarios(), "ecmp/two-by-flow.yaml")
				if err != nil {
					t.Fatal(err)
				}
				network, err := netsim.New(s)
				if err != nil {
					t.Fatal(err)
				}
				engine := startEngine(t, netsim.NewMemory(network, network.Host()))
				seen := map[netip.Addr]bool{}
				for range 30 { // one branch only: once in half a billion
					r, err := engine.Trace(t.Context(), traceroute.Spec{Target: s.Addresses()[0], Method: method, PacketsPerTTL: 1}, prober.Feed{})
					if err != nil {
						t.Fatal(err)
					}
					for _, p := range r.Probes {
						if p.TTL == 2 && p.Answer != nil {
							seen[p.Answer.From] = true
						}
					}
				}
				if len(seen) != 2 {
					t.Errorf("seen at TTL 2: %v, want both branches", seen)
				}
			})
		})
	}
}
