package ident

import (
	"net/netip"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// suspicion is how many forgeries within suspicionWindow end the trust in
// answers that carry little evidence: enough of it for accidents, but not
// against guessing. An attacker has this many guesses.
const (
	suspicion       = 8
	suspicionWindow = time.Second
)

// watch counts the packets that mention a target of leases, but no flow to it:
// other programs that probe it cause some, somebody who guesses identifiers
// causes many. They are counted by space, since only a flow of the same one can
// have been meant.
type watch struct {
	leases int
	since  mono.Instant
	misses [packet.Spaces]int
}

func (r *Registry[O]) watch(target netip.Addr) {
	w := r.watched[target]
	if w == nil {
		w = &watch{}
		r.watched[target] = w
	}
	w.leases++
}

func (r *Registry[O]) unwatch(target netip.Addr) {
	if w := r.watched[target]; w.leases > 1 {
		w.leases--
	} else {
		delete(r.watched, target)
	}
}

// miss counts a packet that mentions target and no flow to it.
func (r *Registry[O]) miss(sp packet.Space, target netip.Addr, now mono.Instant) {
	if w := r.watched[target]; w != nil {
		w.roll(now)
		w.misses[sp]++
	}
}

func (w *watch) roll(now mono.Instant) {
	if now.Since(w.since) > suspicionWindow {
		w.since, w.misses = now, [packet.Spaces]int{}
	}
}

// trusting reports whether answers to a lease's probes are believed on little evidence.
func (r *Registry[O]) trusting(l *Lease[O], now mono.Instant) bool {
	w := r.watched[l.Target]
	w.roll(now)
	return l.forged+w.misses[l.Type.Space()] < suspicion
}

// Evidence is how much shows that a packet answers a probe.
type Evidence uint8

// None is not enough. Weak is what an accident would not produce, but one guess
// in some ten thousands would. Strong is what only who has seen the probe can
// produce.
const (
	None Evidence = iota
	Weak
	Strong
)

// judge decides what a packet that identifies a flow is, given its evidence: an
// answer, or a forgery, which is counted.
func (r *Registry[O]) judge(m Match[O], e Evidence, now mono.Instant) (Match[O], Verdict) {
	if e == Strong || e == Weak && r.trusting(m.lease, now) {
		m.Evidence = e
		return m, Matched
	}
	m.lease.forged++
	return Match[O]{}, Forged
}

// unknown counts a packet that identifies no flow in use, though its target may
// be probed, and returns the verdict on it.
func (r *Registry[O]) unknown(why Verdict, sp packet.Space, target netip.Addr, now mono.Instant) Verdict {
	if why == Unmatched {
		r.miss(sp, target, now)
	}
	return why
}

// unknownPort is unknown for a packet that would identify a flow by its source
// port: one of those that probes use may have been guessed.
func (r *Registry[O]) unknownPort(why Verdict, sp packet.Space, port uint16, target netip.Addr, now mono.Instant) Verdict {
	if _, ours := r.portAt[port]; !ours {
		return why
	}
	return r.unknown(why, sp, target, now)
}
