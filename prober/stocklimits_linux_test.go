package prober_test

import (
	"os"
	"slices"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// TestStockLimits traces cold paths of routers and a target that limit their
// ICMP errors as Linux does by default. The target answers all probes of its own
// TTL, a router without a route as many as it would answer traceroute(8); what
// is missing there is limited, for the path loses nothing.
func TestStockLimits(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes network namespaces and raw sockets")
	}
	if err := kernel.Available(); err != nil {
		t.Skipf("needs root: %v", err)
	}
	noRoute := kernel.Chain(2)
	noRoute.Routers[1].Route = kernel.Unreachable
	for _, c := range []struct {
		name     string
		topology kernel.Topology
		lost     int // most answers that the last TTL may lack
	}{
		{"target", kernel.Chain(2), 0},
		{"no route", noRoute, 1}, // such a router answers two at once
	} {
		c.topology.StockLimits = true
		t.Run(c.name, func(t *testing.T) {
			const traces = 5
			for range traces {
				r := traceInLab(t, c.topology, traceroute.Spec{Method: traceroute.UDP})
				hops := stats.Summarize(r).Hops
				last := hops[len(hops)-1]
				t.Logf("TTL %d: %d lost, limited %v, %d packets past it", last.TTL, last.Lost, r.Limited, r.Counts.Beyond)
				if last.Lost > c.lost {
					t.Errorf("TTL %d: %d lost, want at most %d", last.TTL, last.Lost, c.lost)
				}
				if last.Lost > 0 && !slices.Contains(r.Limited, last.TTL) {
					t.Errorf("TTL %d: %d lost, and it is not limited", last.TTL, last.Lost)
				}
			}
		})
	}
}

// traceInLab traces the target of a lab of its own.
func traceInLab(t *testing.T, topology kernel.Topology, spec traceroute.Spec) *traceroute.Result {
	t.Helper()
	lab, err := kernel.Build(topology)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := lab.Close(); err != nil {
			t.Error(err)
		}
	}()
	transport, err := openOnHost(lab)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := prober.New(transport, prober.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	spec.Target = lab.Target.Addr(false)
	r, err := engine.Trace(t.Context(), spec, prober.Feed{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}
