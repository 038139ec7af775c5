package prober

import (
	"net/netip"
	"testing"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/strategy"
	"probe-agent/traceroute"
)

// TestRepetitionIsReportedOnce: a router that answers the repetition on each
// flow is reported to the feed once for its TTL, and each of its answers counts.
func TestRepetitionIsReportedOnce(t *testing.T) {
	const rtt = mono.Instant(10 * time.Millisecond)
	trace := testTrace(t, traceroute.Spec{}, packet.TCP)
	responders := make(chan Responder, 10)
	trace.changes = newChanges(Feed{Responders: responders})
	if err := trace.craft(); err != nil {
		t.Fatal(err)
	}
	own := len(trace.flows)
	for flow := range own {
		trace.register(flow, 1, 0, 0)
	}
	e := &Engine{registry: sharedRegistry(), schedule: newSchedule(1)}
	e.want(trace, strategy.Step{Action: strategy.Allocate, Flows: uint16(own), Repeats: true})
	if err := e.extend(trace); err != nil || len(trace.flows) != 2*own {
		t.Fatalf("%d flows, %v", len(trace.flows), err)
	}
	router := netip.MustParseAddr("203.0.113.1")
	for flow := own; flow < 2*own; flow++ {
		trace.register(flow, 1, 0, 0)
		got := trace.onRepeated(flow, 1, &answer{receipt: receipt{user: moment{mono: rtt}}, from: router, kind: traceroute.TimeExceeded})
		if got != matched {
			t.Errorf("flow %d: verdict %d, want %d (matched)", flow, got, matched)
		}
	}
	if got := <-responders; len(responders) != 0 || got.Responder != (traceroute.Responder{Addr: router, TTL: 1}) {
		t.Errorf("%v and %d more reported, want the router once", got, len(responders))
	}
}
