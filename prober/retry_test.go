package prober

import (
	"net/netip"
	"testing"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// TestRetryIsReportedOnce: a router that answers the retry on each flow is
// reported to the feed once for its TTL, and each of its answers counts.
func TestRetryIsReportedOnce(t *testing.T) {
	const rtt = mono.Instant(10 * time.Millisecond)
	trace, id := testTrace(traceroute.Spec{}, packet.TCP)
	defer id.release(trace, 0)
	responders := make(chan traceroute.Responder, 10)
	trace.changes = newChanges(Feed{Responders: responders})
	if err := trace.craft(); err != nil {
		t.Fatal(err)
	}
	own := len(trace.flows)
	for flow := range own {
		trace.reserve(flow, 1, 0, 0, id)
	}
	trace.startRetry(id, 0)
	router := netip.MustParseAddr("203.0.113.1")
	for flow := range own {
		trace.reserve(own+flow, 1, 0, 0, id)
		got := trace.onRetry(own+flow, 1, answer{receipt: receipt{user: moment{mono: rtt}}, from: router, kind: traceroute.TimeExceeded})
		if got != matched {
			t.Errorf("flow %d: fate %d, want %d (matched)", flow, got, matched)
		}
	}
	if got := <-responders; len(responders) != 0 || got != (traceroute.Responder{Addr: router, TTL: 1}) {
		t.Errorf("%v and %d more reported, want the router once", got, len(responders))
	}
}
