package prober

import (
	"net/netip"
	"time"

	"probe-agent/prober/mono"
)

// suspicion is how many forgeries within suspicionWindow end the trust in
// answers that carry little evidence: enough of it for accidents, but not
// against guessing. An attacker has this many guesses.
const (
	suspicion       = 8
	suspicionWindow = time.Second
)

// watch counts the packets that mention a target under trace, but no flow to
// it: other programs that probe it cause some, somebody who guesses
// identifiers causes many. They are counted by space, since only a flow of the
// same one can have been meant.
type watch struct {
	traces int
	since  mono.Instant
	misses [spaces]int
}

func (id *identity) watch(target netip.Addr) {
	w := id.watched[target]
	if w == nil {
		w = &watch{}
		id.watched[target] = w
	}
	w.traces++
}

func (id *identity) unwatch(target netip.Addr) {
	if w := id.watched[target]; w.traces > 1 {
		w.traces--
	} else {
		delete(id.watched, target)
	}
}

// miss counts a packet that mentions target and no flow to it.
func (id *identity) miss(sp space, target netip.Addr, now mono.Instant) {
	if w := id.watched[target]; w != nil {
		w.roll(now)
		w.misses[sp]++
	}
}

func (w *watch) roll(now mono.Instant) {
	if now.Since(w.since) > suspicionWindow {
		w.since, w.misses = now, [spaces]int{}
	}
}

// trusting reports whether answers to t are believed on little evidence.
func (id *identity) trusting(t *trace, now mono.Instant) bool {
	w := id.watched[t.target]
	w.roll(now)
	return t.counts.Forged+w.misses[spaceOf(t.typ)] < suspicion
}

// evidence is how much shows that a packet answers a probe.
type evidence uint8

const (
	none   evidence = iota
	weak            // what an accident would not produce, but a guess in some ten thousands would
	strong          // what only who has seen the probe can produce
)

// judge settles what a packet that names a flow is, given its evidence: an
// answer, or a forgery, which is counted.
func (id *identity) judge(m match, e evidence, now mono.Instant) (match, fate) {
	if e == strong || e == weak && id.trusting(m.trace, now) {
		return m, matched
	}
	m.trace.counts.Forged++
	return match{}, forged
}

// unknown is the fate of a packet that names no flow in use, though its
// target may be under trace.
func (id *identity) unknown(why fate, sp space, target netip.Addr, now mono.Instant) (match, fate) {
	if why == foreign {
		id.miss(sp, target, now)
	}
	return match{}, why
}

// unknownPort is unknown for a packet that names a UDP or TCP flow by its source
// port: one of those that probes use may have been guessed.
func (id *identity) unknownPort(why fate, sp space, port uint16, target netip.Addr, now mono.Instant) (match, fate) {
	if _, ours := id.portAt[port]; !ours {
		return match{}, why
	}
	return id.unknown(why, sp, target, now)
}
