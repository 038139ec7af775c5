package prober

import (
	"time"

	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// How far ahead of the replies a trace sends. The numbers trade time against
// packets sent past the target, whose distance is unknown until it answers.
// docs/adr/0002-how-a-trace-opens-up.md has the measurements.
const (
	// openAfter is the time since the start during which a trace follows the
	// replies closely, so that a target nearby answers before probes are sent
	// past it. A reply that moves the frontier prolongs it by openQuiet, up to
	// openLimit in all.
	openAfter = 800 * time.Microsecond
	openQuiet = 400 * time.Microsecond
	openLimit = time.Millisecond
	// closeLead is how many TTLs beyond the frontier are probed during that
	// time: the next TTL, which exists, with all its probes, and one probe of
	// the TTL after it.
	closeLead = 2
	// inOrder is how many probes beyond the frontier, in order of TTL, may be
	// unanswered afterwards: as many as traceroute(8) has, so that no probe of
	// the path leaves later than its own would.
	inOrder = 16
	// maxFullLead is how many TTLs beyond the frontier are probed in full at
	// most. It is as many as the frontier is away from here, but not less than
	// inOrder allows.
	maxFullLead = 7
	// scouts are single probes to the TTLs after those. They find out how long
	// the path is and reach past silent routers. If one of those TTLs is the
	// target's, three go past it before its second probe: a Linux host
	// answers six in a row (net.ipv4.icmp_ratelimit).
	scouts = 4
	// speculation bounds the probes beyond the frontier, scouts included. With
	// the target just beyond the frontier, 19 of them are past it: half as
	// many again as traceroute(8) sends.
	speculation = 22
	// scoutEvery is the time between two scouts, from the first reply on or
	// from scoutUnheard without one.
	scoutEvery   = 2 * time.Millisecond
	scoutUnheard = 100 * time.Millisecond
	// stallAfter is how long a reply from beyond the frontier is waited for
	// until every TTL up to the maximum is probed. It is more than the RTT of
	// a distant target behind near routers.
	stallAfter = 320 * time.Millisecond
	// stallGrace is waited in addition to what the RTTs so far suggest.
	stallGrace = time.Millisecond
	// silentRow is how many silent routers in a row this wait allows for.
	silentRow = 4
)

// frontier is how far a trace has heard: the highest TTL that answered.
type frontier struct {
	ttl     int           // 0 while nothing was heard
	rtt     time.Duration // of that TTL
	maxStep time.Duration // largest rise of RTT from one heard TTL to a higher one
	sent    mono.Instant  // when the probe to that TTL left
	first   mono.Instant  // when a reply moved it first
	moved   mono.Instant  // when a reply moved it last
	lag     time.Duration // for how long such replies lay unread, all together
}

// advance moves the frontier to a TTL that answered a probe of sent after rtt,
// which is known from now on.
func (f *frontier) advance(ttl int, sent mono.Instant, rtt time.Duration, now mono.Instant) {
	if ttl <= f.ttl {
		return
	}
	if f.ttl == 0 {
		f.first = now
	}
	f.lag += max(0, now.Since(sent)-rtt)
	f.maxStep = max(f.maxStep, rtt-f.rtt)
	f.ttl, f.rtt, f.sent, f.moved = ttl, rtt, sent, now
}

// opens returns when a trace stops following the replies closely. The time
// during which replies lay unread on a busy host is not taken from it.
func (f *frontier) opens(started mono.Instant) mono.Instant {
	return min(max(started.Add(openAfter), f.moved.Add(openQuiet)), started.Add(openLimit+f.lag))
}

// stall returns when to give up hearing from beyond the frontier, where the
// latest probe to count on was first sent at next. Routers there are silent, or
// the target is, and everything up to the maximum TTL has to be probed.
func (f *frontier) stall(next mono.Instant, wait time.Duration) mono.Instant {
	patience := max(stallAfter, f.rtt+f.maxStep*5/4+stallGrace)
	return max(next, f.sent).Add(min(wait, patience))
}

// window is what of a trace may be sent at one moment.
type window struct {
	end     int // lowest TTL whose answer ended a flow, 0 while unknown
	heard   int // highest TTL heard
	first   int // highest TTL that may get its first probe
	full    int // probes beyond heard, in order of TTL, that may be sent
	room    int // how many more may be sent, but for the first inOrder of them
	wake    mono.Instant
	extents [traceroute.PacketsPerTTLLimit]uint8
}

// window returns what may be sent now, and when that changes by the passing of
// time, provided that everything until then has been heard.
func (t *trace) window(now, heard mono.Instant) window {
	end := t.end()
	w := window{end: end, heard: t.frontier.ttl, wake: mono.Forever, full: len(t.slots), room: len(t.slots)}
	for flow := range t.flows {
		extent := t.extent(flow, end)
		w.extents[flow] = uint8(extent)
		w.first = max(w.first, extent)
	}
	if end != 0 || w.heard >= t.ceiling {
		return w
	}
	stalled := t.frontier.stall(t.latestBeyond(), t.spec.Wait)
	if heard >= stalled {
		return w
	}
	w.wake = stalled
	if opens := t.frontier.opens(t.started); heard < opens {
		w.first = min(t.ceiling, w.heard+closeLead)
		w.full = len(t.flows)
		w.wake = min(w.wake, opens)
		return w
	}
	w.full = max(inOrder, min(w.heard, maxFullLead)*min(len(t.flows), traceroute.DefaultPackets))
	w.room = speculation
	for ttl := w.heard + 1; ttl <= t.sentTop; ttl++ {
		w.room -= int(t.sentAt[ttl])
	}
	w.scout(t, now)
	return w
}

// latestBeyond returns when the highest TTL beyond the frontier, within
// silentRow and one, was first probed. If it was not, it could have been since
// the frontier moved: a process that was stopped until then sends it now.
func (t *trace) latestBeyond() mono.Instant {
	if ttl := min(t.frontier.ttl+silentRow+1, t.ceiling); t.sentAt[ttl] > 0 {
		return t.firstSent[ttl]
	}
	return max(t.started, t.frontier.moved)
}

// scout opens TTLs beyond those probed in full for their first probe, as time
// passes.
func (w *window) scout(t *trace, now mono.Instant) {
	from := t.started.Add(scoutUnheard)
	if w.heard > 0 {
		from = t.frontier.first
	}
	opened := int(max(0, min(now.Since(from)/scoutEvery, scouts)))
	w.first = min(t.ceiling, w.heard+w.full/len(t.flows)+opened)
	if opened < scouts && w.first < t.ceiling {
		w.wake = min(w.wake, from.Add(time.Duration(opened+1)*scoutEvery))
	}
}

// allows reports whether the next probe to a TTL, of which sent are out, may
// be sent.
func (w *window) allows(ttl, sent, flows int) bool {
	if ttl <= w.heard {
		return true
	}
	place := (ttl-w.heard-1)*flows + sent
	return place < min(inOrder, w.full) || w.room > 0 && (place < w.full || ttl <= w.first && sent == 0)
}
