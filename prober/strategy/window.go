package strategy

import (
	"time"

	"probe-agent/prober/mono"
)

// How far ahead of the replies a trace sends. The numbers trade time against
// packets sent past the target, whose distance is unknown until it answers.
// docs/adr/0002-how-a-trace-opens-up.md has the measurements.
const (
	// openAfter is the time since the start during which a trace follows the
	// replies closely, so that a target nearby answers before probes are sent
	// past it. An answer from a higher TTL prolongs it by openQuiet, up to
	// openLimit in all.
	openAfter = 800 * time.Microsecond
	openQuiet = 400 * time.Microsecond
	openLimit = time.Millisecond
	// closeLead is how many TTLs beyond the highest that answered are probed during that
	// time: the next TTL, which exists, with all its probes, and one probe of
	// the TTL after it.
	closeLead = 2
	// inOrder is how many probes beyond the highest TTL that answered, in order of TTL, may be
	// unanswered afterwards: as many as traceroute(8) has, so that no probe of
	// the path leaves later than its own would.
	inOrder = 16
	// maxFullLead is how many TTLs beyond the highest that answered are probed
	// in full at most. It is as many as that one is away from here, but not less
	// than inOrder allows.
	maxFullLead = 7
	// scouts are single probes to the TTLs after those. They find out how long
	// the path is and reach past silent routers. If one of those TTLs is the
	// target's, three go past it before its second probe: a Linux host
	// answers six in a row (net.ipv4.icmp_ratelimit).
	scouts = 4
	// fullFlows is how many probes of each of those TTLs count.
	fullFlows = 3
	// speculation bounds the probes beyond the highest TTL that answered, scouts
	// included. With the target just beyond, 19 of them are past it: half as
	// many again as traceroute(8) sends.
	speculation = 22
	// scoutEvery is the time between two scouts, from the first reply on or
	// from scoutUnheard without one.
	scoutEvery   = 2 * time.Millisecond
	scoutUnheard = 100 * time.Millisecond
	// stallAfter is how long an answer from beyond the highest TTL is waited for
	// until every TTL up to the maximum is probed. It is more than the RTT of
	// a distant target behind near routers.
	stallAfter = 320 * time.Millisecond
	// stallGrace is waited in addition to what the RTTs so far suggest.
	stallGrace = time.Millisecond
	// silentRow is how many silent routers in a row this wait allows for.
	silentRow = 4
)

// highest is the highest TTL that answered, and when.
type highest struct {
	ttl     int           // 0 while none has
	rtt     time.Duration // of that TTL
	maxStep time.Duration // largest rise of RTT from one such TTL to the next
	sent    mono.Instant  // when the probe to that TTL left
	first   mono.Instant  // when the first answer was read
	moved   mono.Instant  // when the last one was
	lag     time.Duration // for how long these answers lay unread, all together
}

// advance takes the answer of a TTL to a probe sent at sent into account, which
// came after rtt and was read at now.
func (h *highest) advance(ttl int, sent mono.Instant, rtt time.Duration, now mono.Instant) {
	if ttl <= h.ttl {
		return
	}
	if h.ttl == 0 {
		h.first = now
	}
	h.lag += max(0, now.Since(sent)-rtt)
	h.maxStep = max(h.maxStep, rtt-h.rtt)
	h.ttl, h.rtt, h.sent, h.moved = ttl, rtt, sent, now
}

// opensAt returns when a trace stops following the answers closely. The time
// during which answers lay unread on a busy host is not taken from it.
func (h *highest) opensAt(started mono.Instant) mono.Instant {
	return min(max(started.Add(openAfter), h.moved.Add(openQuiet)), started.Add(openLimit+h.lag))
}

// stallsAt returns when to give up waiting for answers from beyond, where the
// latest probe to count on was first sent at next. Routers there are silent, or
// the target is, and everything up to the maximum TTL has to be probed.
func (h *highest) stallsAt(next mono.Instant, wait time.Duration) mono.Instant {
	patience := max(stallAfter, h.rtt+h.maxStep*5/4+stallGrace)
	return max(next, h.sent).Add(min(wait, patience))
}

// window is what of a trace may be sent at one moment.
type window struct {
	highest int // highest TTL that answered
	first   int // highest TTL that may get its first probe
	full    int // probes beyond highest, in order of TTL, that may be sent
	room    int // how many more may be sent, but for the first inOrder of them
	wake    mono.Instant
}

// window returns what may be sent now, and when that changes by the passing of
// time, provided that everything until then has been received.
func (p *paris) window(now, received mono.Instant) window {
	all := p.Config.Flows * p.MaxTTL
	w := window{highest: p.highest.ttl, wake: mono.Forever, first: p.limit, full: all, room: all}
	if p.end != 0 || w.highest >= p.limit {
		return w
	}
	stalls := p.highest.stallsAt(p.latestBeyond(), p.Wait)
	if received >= stalls {
		return w
	}
	w.wake = stalls
	if opens := p.highest.opensAt(p.started); received < opens {
		w.first = min(p.limit, w.highest+closeLead)
		w.full = p.Config.Flows
		w.wake = min(w.wake, opens)
		return w
	}
	w.full = max(inOrder, min(w.highest, maxFullLead)*min(p.Config.Flows, fullFlows))
	w.room = speculation
	for ttl := w.highest + 1; ttl <= p.top; ttl++ {
		w.room -= int(p.sent[ttl])
	}
	w.scout(p, now)
	return w
}

// latestBeyond returns when the highest TTL beyond the one that answered, within
// silentRow and one, was first probed. If it was not, it could have been since
// that answer: a process that was stopped until then sends it now.
func (p *paris) latestBeyond() mono.Instant {
	if ttl := min(p.highest.ttl+silentRow+1, p.limit); p.sent[ttl] > 0 {
		return p.firstSent[ttl]
	}
	return max(p.started, p.highest.moved)
}

// scout opens TTLs beyond those probed in full for their first probe, as time
// passes.
func (w *window) scout(p *paris, now mono.Instant) {
	from := p.started.Add(scoutUnheard)
	if w.highest > 0 {
		from = p.highest.first
	}
	opened := int(max(0, min(now.Since(from)/scoutEvery, scouts)))
	w.first = min(p.limit, w.highest+w.full/p.Config.Flows+opened)
	if opened < scouts && w.first < p.limit {
		w.wake = min(w.wake, from.Add(time.Duration(opened+1)*scoutEvery))
	}
}

// allows reports whether the next probe to a TTL, of which sent are out, may
// be sent.
func (w *window) allows(ttl, sent, flows int) bool {
	if ttl <= w.highest {
		return true
	}
	place := (ttl-w.highest-1)*flows + sent
	return place < min(inOrder, w.full) || w.room > 0 && (place < w.full || ttl <= w.first && sent == 0)
}
