package prober

import (
	"math/bits"

	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
)

// step is what a trace wants next.
type step struct {
	action    action
	flow, ttl int          // of send
	wake      mono.Instant // of wait: when to ask again, if nothing happens before; of listen: see there
}

type action uint8

const (
	wait action = iota
	send
	finish
	// listen asks for everything to be heard that arrived until wake: what is
	// wanted then depends on it.
	listen
	// retryNow asks for the flows of a retry.
	retryNow
)

// hopLimiter says when a probe may be sent to a TTL, as far as other traces are
// concerned: they share the nearest routers. See pacing.HopLimiter.
type hopLimiter interface {
	ReadyAt(ttl int, from pacing.Egress) mono.Instant
	RetryAt(ttl int, from pacing.Egress, ready mono.Instant, random uint32) mono.Instant
}

// next plans: which probe to send now, or how long to wait, or that all is
// known. Everything that arrived until heard has been heard; that a reply is
// missing shows no earlier. It changes nothing.
func (t *trace) next(now, heard mono.Instant, hops hopLimiter) step {
	if t.err != nil {
		return step{action: finish}
	}
	if now < t.rest {
		return step{action: wait, wake: t.rest}
	}
	w := t.window(now, heard)
	p := plan{wake: mono.Forever}
	// In order of TTL, as traceroute(8): what is nearest is known to exist, and
	// where the target or a router limits its answers, those to the probes
	// past it come last.
	for ttl := 1; ttl <= t.ceiling; ttl++ {
		if flow, at := t.due(&p, &w, ttl, now, hops); at <= now {
			return step{action: send, flow: flow, ttl: ttl}
		}
	}
	if p.pending {
		p.wake = min(p.wake, w.wake)
	}
	switch {
	case p.wake <= now:
		return step{action: listen, wake: p.wake}
	case p.pending || p.wake != mono.Forever:
		return step{action: wait, wake: p.wake}
	}
	switch at := t.drained(w.end); {
	case at <= heard:
		return step{action: finish}
	case at <= now:
		return step{action: listen, wake: at}
	default:
		s := t.nextRetry(now, heard, at, w.end, hops)
		if s.action == wait {
			s.wake = min(s.wake, at)
		}
		return s
	}
}

// plan gathers, while the TTLs are looked through, when to look again.
type plan struct {
	wake    mono.Instant
	pending bool // something is left to send that a reply or time can release
}

// due returns the flow of the next probe to a TTL and when it may go: mono.Forever
// when there is none, or the window does not allow it.
func (t *trace) due(p *plan, w *window, ttl int, now mono.Instant, hops hopLimiter) (flow int, at mono.Instant) {
	if t.unsent[ttl] == 0 {
		return 0, mono.Forever
	}
	if flow = t.unsentFlow(ttl, w); flow < 0 {
		return 0, mono.Forever
	}
	if !w.allows(ttl, int(t.sentAt[ttl]), len(t.flows)) {
		p.pending = true
		return 0, mono.Forever
	}
	egress := t.flows[flow].egress
	at = hops.ReadyAt(ttl, egress)
	if at > now {
		at = hops.RetryAt(ttl, egress, at, t.turn+uint32(ttl)*2654435761)
		p.wake = min(p.wake, at)
	}
	return flow, at
}

// unsentFlow returns the first flow that still has to probe the TTL, or -1.
func (t *trace) unsentFlow(ttl int, w *window) int {
	for left := t.unsent[ttl]; left != 0; left &= left - 1 {
		if flow := bits.TrailingZeros16(left); ttl <= int(w.extents[flow]) {
			return flow
		}
	}
	return -1
}
