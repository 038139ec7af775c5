package prober

import "math/bits"

// step is what a trace wants next.
type step struct {
	action    action
	flow, ttl int     // of send
	wake      instant // of wait: when to ask again, if nothing happens before
}

type action uint8

const (
	wait action = iota
	send
	finish
)

// forever is later than anything.
const forever = instant(1<<63 - 1)

// gate tells when a probe may be sent to a TTL, as far as others are
// concerned: routers near us are asked by all traces.
type gate interface {
	opens(ttl int, from egress) instant
	// again returns when to ask again for a TTL that opens later, at the
	// given time.
	again(ttl int, from egress, at instant, chance uint32) instant
}

// next plans: which probe to send now, or how long to wait, or that all is
// known. It changes nothing.
func (t *trace) next(now instant, near gate) step {
	if t.err != nil {
		return step{action: finish}
	}
	if now < t.rest {
		return step{action: wait, wake: t.rest}
	}
	w := t.window(now)
	p := plan{wake: w.wake}
	// What was never asked comes first: it tells how long the path is. Then
	// what is furthest from being answered, nearest TTLs first, for the
	// allowance may not reach all of them; these two decide when the trace
	// ends. What has been heard from can wait, and goes in shuffled order.
	if s, found := t.pick(&p, &w, span{1, w.first, 0}, true, now, near); found {
		return s
	}
	heard := min(w.heard, w.later)
	if s, found := t.pick(&p, &w, span{heard + 1, w.later, 0}, false, now, near); found {
		return s
	}
	if s, found := t.pick(&p, &w, span{1, heard, int(t.turn>>16) % max(1, heard)}, false, now, near); found {
		return s
	}
	if p.wake != forever || p.pending {
		return step{action: wait, wake: p.wake}
	}
	if at := t.drained(w.end); at > now {
		return step{action: wait, wake: at}
	}
	return step{action: finish}
}

// plan gathers, while the TTLs are looked through, when to look again.
type plan struct {
	wake    instant
	pending bool // something is left to send that only a reply can release
}

// span is a range of TTLs, looked through from one in the middle on.
type span struct{ low, high, skip int }

// pick looks for a probe that may go now, among the TTLs of the span that were
// never probed (first) or those that were.
func (t *trace) pick(p *plan, w *window, in span, first bool, now instant, near gate) (step, bool) {
	ttl := in.low + in.skip - 1
	for range in.high - in.low + 1 {
		if ttl++; ttl > in.high {
			ttl = in.low
		}
		if t.unsent[ttl] == 0 || first != (t.sentAt[ttl] == 0) {
			continue
		}
		flow := t.unsentFlow(ttl, w)
		if flow < 0 {
			continue
		}
		if ttl > w.heard && w.allowance <= 0 {
			p.pending = true
			continue
		}
		at := near.opens(ttl, t.flows[flow].egress)
		if at > now {
			at = near.again(ttl, t.flows[flow].egress, at, t.turn+uint32(ttl)*2654435761)
		}
		if !first {
			at = max(at, t.lastSent[ttl].add(t.frontier.gap(ttl, w.end != 0)))
		}
		if at <= now {
			return step{action: send, flow: flow, ttl: ttl}, true
		}
		p.wake = min(p.wake, at)
	}
	return step{}, false
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

// window is what of a trace may be sent at one moment.
type window struct {
	end          int     // lowest TTL whose answer ended a flow, 0 while unknown
	heard        int     // highest TTL heard
	first, later int     // highest TTL for the first probe of a TTL, and for others
	allowance    int     // how many more probes may go beyond heard
	wake         instant // when this changes by the passing of time
	extents      [PacketsPerTTLLimit]uint8
}

// window returns what may be sent now.
func (t *trace) window(now instant) window {
	end := t.end()
	w := window{end: end, heard: t.frontier.ttl, wake: forever, allowance: len(t.slots)}
	for flow := range t.flows {
		extent := t.extent(flow, end)
		w.extents[flow] = uint8(extent)
		w.first = max(w.first, extent)
	}
	if end != 0 {
		w.later = w.first
		return w
	}
	next := t.started
	if w.heard < t.ceiling && t.sentAt[w.heard+1] > 0 {
		next = t.slot(0, w.heard+1).sent.user
	}
	stalled := t.frontier.stall(t.started, next)
	if now >= stalled {
		w.first, w.later = t.ceiling, t.ceiling
		return w
	}
	byTime, opensAt := opened(t.elapsed(now))
	ahead := firstLead
	if t.elapsed(now) < openStep {
		ahead = nearLead
	}
	w.first = min(t.ceiling, max(byTime, w.heard+ahead))
	w.later = min(w.first, w.heard+lead(w.heard))
	w.allowance = allowance(w.heard)
	for ttl := w.heard + 1; ttl <= t.sentTop; ttl++ {
		w.allowance -= int(t.sentAt[ttl])
	}
	if w.later < t.ceiling || w.allowance <= 0 {
		w.wake = stalled
		if opensAt != 0 {
			w.wake = min(w.wake, t.started.add(opensAt))
		}
	}
	return w
}
