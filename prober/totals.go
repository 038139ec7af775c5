package prober

import (
	"probe-agent/prober/ident"
	"probe-agent/traceroute"
)

// verdict is what became of a received packet.
type verdict uint8

const (
	matched verdict = iota
	duplicate
	late
	forged
	unmatched
	malformed
	verdicts
)

// verdictOf is what becomes of a packet that matches no probe.
var verdictOf = [...]verdict{ident.Late: late, ident.Forged: forged, ident.Unmatched: unmatched}

// totals are the engine's counters.
type totals struct {
	Busy, Refused, ReceiveErrors, Held uint64

	Replies [verdicts]uint64
	Clocks  [traceroute.Clocks]uint64
}

// Totals counts what the engine has done since it started.
type Totals struct {
	Sent          uint64 // probes handed to the network
	Busy          uint64 // sendings put off because the network took no more
	Refused       uint64 // probes that the host refused to send
	ReceiveErrors uint64 // failed reads of a receive queue
	Matched       uint64 // replies that answered a probe
	Duplicate     uint64 // further replies to an answered probe
	Late          uint64 // replies after their probe's wait, or after its trace
	Forged        uint64 // replies that named a probe and failed verification
	Foreign       uint64 // packets that answer no probe of ours
	Malformed     uint64 // packets that could not be read
	Running       int    // traces under way
	NamesHeld     int    // flow names of running traces, and of ended ones whose last answers may yet come
	// How often a probe that a trace wanted to send was put off, by the rate
	// that it had to wait for: that of all probes, of a near hop, of its
	// destination prefix. Each further look that finds it closed counts.
	RateWaits, NearWaits, PrefixWaits uint64
	// Answers of finished traces, by how their RTT was measured.
	KernelClock, KernelReceiveClock, UserClock uint64
}

// Totals returns the counters as they are now.
func (e *Engine) Totals() Totals {
	e.mu.Lock()
	defer e.mu.Unlock()
	t := &e.totals
	return Totals{
		Sent: e.sent.Load(), Busy: t.Busy, Refused: t.Refused, ReceiveErrors: t.ReceiveErrors,
		Matched: t.Replies[matched], Duplicate: t.Replies[duplicate], Late: t.Replies[late],
		Forged: t.Replies[forged], Foreign: t.Replies[unmatched], Malformed: t.Replies[malformed],
		Running:   len(e.running),
		NamesHeld: e.registry.Held(e.now().mono),
		RateWaits: t.Held, NearWaits: e.hops.Waits(), PrefixWaits: e.prefixes.Waits(),
		KernelClock: t.Clocks[traceroute.KernelClock], KernelReceiveClock: t.Clocks[traceroute.KernelReceiveClock], UserClock: t.Clocks[traceroute.UserClock],
	}
}

// countClocks notes how the RTTs of a finished trace were measured.
func (t *totals) countClocks(r *traceroute.Result) {
	for i := range r.Probes {
		if a := r.Probes[i].Answer; a != nil {
			t.Clocks[a.Clock]++
		}
	}
}
