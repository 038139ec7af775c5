// Package strategy decides which probes a trace sends, and when it has ended.
//
// A [Strategy] is told what was sent, answered and withdrawn, and is asked for
// the next step. It reads no clock, sends nothing and knows no packets: time is
// an argument, a probe is a flow and a TTL. Nothing in the package is safe for
// concurrent use, and nothing allocates per probe.
package strategy

import (
	"time"

	"probe-agent/prober/mono"
)

// MaxTTL is the highest TTL of a probe.
const MaxTTL = 64

// Strategy is what one trace sends. Flows are numbered from 0 in the order of
// their allocation, TTLs from 1.
type Strategy interface {
	// Flows returns the number of flows that the trace starts with.
	Flows() int

	// Start begins the trace, which has its flows.
	Start(now mono.Instant)

	// Next returns what the trace wants to do now. Everything that arrived
	// until received has been received; that an answer is missing shows no
	// earlier. It changes nothing.
	Next(now, received mono.Instant, limits Limits) Step

	// Allocating says that the flows of an Allocate step are being allocated.
	// Allocated follows, with the number of flows that were: all or, where the
	// step does not wait or the host has not so many, none.
	Allocating()
	Allocated(flows int)

	// Sent says that a probe is about to leave, or left at another time than
	// was said before.
	Sent(flow, ttl int, at mono.Instant)

	// Withdrawn says that a probe was not sent after all.
	Withdrawn(flow, ttl int)

	// Answered takes the first answer to a probe into account. It returns the
	// lowest TTL whose answer ended the flow's path, 0 while none has, and
	// whether that has changed.
	Answered(a Answer) (end int, changed bool)

	// Reassess replaces what is known of a flow, when its answers have been
	// assigned to other probes, or mean something else.
	Reassess(flow int, a Assessment)

	// Limit says that TTLs above ttl are not wanted any more.
	Limit(ttl int)

	// Wants reports whether a probe of the flow to the TTL is within the path,
	// as far as that is known.
	Wants(flow, ttl int) bool

	// End returns where the path ends, by all answers so far.
	End() End
}

// Limits says when probes may be sent, as far as other traces are concerned:
// see pacing.HopLimiter.
type Limits interface {
	// ReadyAt returns the earliest time for a probe of the flow to the TTL; in
	// the past when it may be sent at once.
	ReadyAt(flow, ttl int) mono.Instant
	// RetryAt returns when to ask again, given that ReadyAt is in the future.
	RetryAt(flow, ttl int, ready mono.Instant) mono.Instant
}

// Step is what a trace wants to do.
type Step struct {
	Wake   mono.Instant // Wait: when to ask again, if nothing happens before; Listen: see there
	Flow   uint16       // Send
	Flows  uint16       // Allocate: how many
	TTL    uint8        // Send
	Action Action
	// Repeats: the flows' probes repeat those of the first flows, in the same
	// order. Their packets look like retransmissions.
	Repeats bool
	// Waits: the flows are waited for if they are not free.
	Waits bool
}

// Action is the kind of a Step.
type Action uint8

// The actions.
const (
	Wait Action = iota
	Send
	// Finish: nothing is left to send or to wait for.
	Finish
	// Listen asks for everything to be received that arrived until Step.Wake:
	// what is wanted then depends on it.
	Listen
	// Allocate asks for further flows. The next one comes after Allocated only.
	Allocate
)

// Answer is the answer to a probe.
type Answer struct {
	Flow, TTL int
	RTT       time.Duration
	At        mono.Instant // when it was read
	Ends      bool         // no probe of the flow gets further
	Arrival   bool         // the target answered
}

// Assessment is what is known of a flow.
type Assessment struct {
	Answered uint64 // a bit for each TTL whose probe is answered, from TTL 1 on
	End      int    // lowest TTL whose answer ends the path; 0 while none does
	Arrival  bool   // and by the target's answer
}

// End is where a path ends.
type End struct {
	TTL     int  // the last one of interest
	Reached bool // the target answered
	Blocked bool // the path ends before the target
}
