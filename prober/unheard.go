package prober

import (
	"time"

	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/prober/strategy"
)

// A busy host may let this process run only after a probe's wait is over, and
// a stopped process (SIGSTOP, the cgroup freezer, a virtual machine that moves)
// does not run at all, although answers have come in time and lie in a socket
// since. So before a probe counts as lost, and before a trace sends more because
// replies are missing, everything that had arrived by then is heard.

// catchUp is how often to look whether it has been, and catchUpLimit how long to
// wait for it at most: a queue may be filled faster than it is read. That time
// begins when this process looks first, so it does not include any during which
// it was stopped.
const (
	catchUp      = time.Millisecond
	catchUpLimit = time.Second
)

// arrivals keeps, by queue, until when everything that arrived has been heard.
type arrivals []mono.Instant

// note notes that everything that arrived on a queue until then has been heard.
func (a arrivals) note(queue int, until mono.Instant) { a[queue] = max(a[queue], until) }

// taken notes that a packet of a queue with the kernel's stamp was taken by now,
// and so were all before it: a socket keeps the order of arrival.
func (a arrivals) taken(queue int, kernel int64, now moment) {
	if kernel != 0 {
		a.note(queue, now.mono.Add(-max(0, time.Duration(now.wall-kernel))))
	}
}

// heard returns until when everything that arrived on any queue has been heard.
func (a arrivals) heard() mono.Instant {
	heard := mono.Forever
	for _, until := range a {
		heard = min(heard, until)
	}
	return heard
}

// limits answers a strategy's questions for one trace. See strategy.Limits.
type limits struct {
	hops  *pacing.HopLimiter
	trace *trace
}

// ReadyAt implements strategy.Limits.
func (l *limits) ReadyAt(flow, ttl int) mono.Instant {
	return l.hops.ReadyAt(ttl, l.trace.flows[flow].egress)
}

// RetryAt implements strategy.Limits.
func (l *limits) RetryAt(flow, ttl int, ready mono.Instant) mono.Instant {
	const knuth = 2654435761 // his multiplicative hash
	return l.hops.RetryAt(ttl, l.trace.flows[flow].egress, ready, l.trace.random+uint32(ttl)*knuth)
}

// next asks a trace what it wants now. The caller holds mu.
func (e *Engine) next(t *trace, now mono.Instant) strategy.Step {
	var s strategy.Step
	switch {
	case t.err != nil:
		s.Action = strategy.Finish
	case now < t.retryAt:
		s.Wake = t.retryAt
	default:
		heard := e.arrivals.heard()
		if t.unheard != 0 && now.Since(t.unheard) >= catchUpLimit {
			heard = now
		}
		e.limits.trace = t
		s = t.strategy.Next(now, min(now, heard), &e.limits)
	}
	if s.Action != strategy.Listen {
		t.unheard = 0
	}
	return s
}

// hearOut puts off what t wants until everything is heard that arrived until
// then. The caller holds mu.
func (e *Engine) hearOut(t *trace, until, now mono.Instant) {
	if t.unheard == 0 {
		t.unheard = now
	}
	t.until = until
	if !t.listed {
		t.listed = true
		e.unheard = append(e.unheard, t)
	}
	e.schedule.sleep(t, now.Add(catchUp))
}

// listen finds out, without the lock, which queues are empty, and reports
// whether a trace that waited for it can go on. The others ask again later.
func (e *Engine) listen(behind []bool) bool {
	e.mu.Lock()
	if len(e.unheard) == 0 {
		e.mu.Unlock()
		return false
	}
	now := e.now().mono
	e.mu.Unlock()
	for queue := range behind {
		behind[queue] = e.queues[queue].Behind()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for queue, is := range behind {
		if !is {
			e.arrivals.note(queue, now)
		}
	}
	heard := e.arrivals.heard()
	released := false
	for _, t := range e.unheard {
		t.listed = false
		if !t.finished && t.until <= heard {
			e.schedule.push(t)
			released = true
		}
	}
	clear(e.unheard)
	e.unheard = e.unheard[:0]
	return released
}
