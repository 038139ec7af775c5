package prober

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"probe-agent/prober/mono"
)

// A probe that the host refuses is tried again: rules and routes may be in
// the middle of a change. After refusalLimit refusals, with no answer between
// them, the trace is given up.
const (
	refusalLimit = 3
	// refusalPause is how long a trace rests after its first refusal; it
	// doubles with each.
	refusalPause = 50 * time.Millisecond
)

// A trace whose way out is full rests, for longer each time, and is given up
// when for busyLimit none of its probes was taken: a queue that long full is
// one that nothing leaves.
const (
	minBackoff = time.Millisecond
	maxBackoff = 20 * time.Millisecond
	busyLimit  = 3 * time.Second
)

// settle counts what was sent, takes back what was refused, keeps what has to
// be tried again, and reports whether all of the tx queue has to wait.
func (e *Engine) settle(batch *txBatch, sent int, err error) (busy bool) {
	e.sent.Add(uint64(sent))
	if sent == batch.count && e.busyTraces.Load() == 0 && !batch.paced() { // when nothing limits it, sending is not held up by a lock
		batch.count = 0
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now().mono
	for _, p := range batch.probes[:sent] {
		e.unbusy(p.trace)
		p.prefix.Sent(now)
	}
	batch.keep(func(i int) bool { return i >= sent })
	switch {
	case err == nil || batch.count == 0:
	case errors.Is(err, syscall.EAGAIN):
		// The socket's own buffer is full, so no packet would fare better.
		e.totals.Busy++
		for _, p := range batch.probes[:batch.count] {
			e.starve(p.trace, now, err)
		}
		return true
	default:
		e.refused(batch, err, now)
	}
	return false
}

// refused takes the first probe of the batch back, and with it all others of
// its trace, which would take the same way out. The other traces' ways may be
// open. The caller holds mu.
func (e *Engine) refused(batch *txBatch, err error, now mono.Instant) {
	t := batch.probes[0].trace
	batch.keep(func(i int) bool {
		p := batch.probes[i]
		if p.trace == t {
			t.withdraw(p.flow, p.ttl)
			p.prefix.Sent(now) // a host that refuses is asked no more often than one that sends
		}
		return p.trace != t
	})
	full := errors.Is(err, syscall.ENOBUFS)
	switch resting := now < t.retryAt; {
	case full:
		e.totals.Busy++
		e.starve(t, now, err)
		if !resting {
			t.backoff = min(maxBackoff, max(minBackoff, 2*t.backoff))
			t.retryAt = now.Add(t.backoff)
		}
	case resting: // built before the refusal that it rests for
		e.totals.Refused++
	default:
		e.totals.Refused++
		t.retryAt = now.Add(refusalPause << t.refusals)
		t.refusals++
		if t.refusals >= refusalLimit {
			e.giveUp(t, err)
		}
	}
	if !t.finished {
		e.schedule.push(t)
		e.rouse(now)
	}
}

// starve notes that a probe of t waits for room, and gives t up when none has
// found any for too long.
func (e *Engine) starve(t *trace, now mono.Instant, err error) {
	switch {
	case t.finished:
	case !t.busy:
		t.busy, t.busySince = true, now
		e.busyTraces.Add(1)
	case now.Since(t.busySince) >= busyLimit:
		e.giveUp(t, err)
	}
}

// unbusy notes that a probe of t was taken, or that no more will come.
func (e *Engine) unbusy(t *trace) {
	if t.busy {
		t.busy, t.backoff = false, 0
		e.busyTraces.Add(-1)
	}
}

// giveUp ends a trace, both halves of it, with the host's error.
func (e *Engine) giveUp(t *trace, err error) {
	t.err = fmt.Errorf("prober: probe to %v not sent: %w", t.lease.Target, err)
	e.finish(t)
	if t.companion != nil {
		t.companion.err = t.err
		e.finish(t.companion)
	}
}
