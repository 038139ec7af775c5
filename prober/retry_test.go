package prober

import (
	"net/netip"
	"testing"
	"time"

	"probe-agent/packet"
)

// TestRetryIsHeardOnce: a router that answers the retry on each flow is passed
// to Spec.Heard once for its TTL, and each of its answers counts.
func TestRetryIsHeardOnce(t *testing.T) {
	const rtt = instant(10 * time.Millisecond)
	trace, id := testTrace(Spec{Heard: func(netip.Addr, uint8) {}}, packet.TCP)
	defer id.release(trace, 0)
	trace.responders = newResponders(&trace.spec)
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
		got := trace.onRetry(own+flow, 1, answer{receipt: receipt{user: moment{mono: rtt}}, from: router, kind: packet.TimeExceeded})
		if got != matched {
			t.Errorf("flow %d: fate %d, want %d (matched)", flow, got, matched)
		}
	}
	if heard := trace.responders.queued; len(heard) != 1 || heard[0] != (responder{router, 1}) {
		t.Errorf("heard %v, want the router once", heard)
	}
}
