package prober

import "time"

// A busy host may let this process run only after a probe's wait is over,
// although its answer came in time and has been lying in a socket since. So
// before a probe counts as lost, all that had arrived by the end of its wait
// is heard.

// catchUp is how often to look whether it has been, and catchUpLimit how long
// to wait for it at most: a queue may be filled faster than it is read.
const (
	catchUp      = time.Millisecond
	catchUpLimit = time.Second
)

// arrivals tells up to when everything that has arrived has been heard.
type arrivals struct {
	latest []int64 // by queue: the kernel's stamp of the latest packet taken
	heard  instant // everything that arrived until then has been heard
}

// note takes down that a packet of a queue was taken, and so all before it.
func (a *arrivals) note(queue int, kernel int64) {
	if kernel != 0 {
		a.latest[queue] = kernel
	}
}

// complete reports whether everything that arrived until then has been heard.
// behind is Transport.Behind.
func (a *arrivals) complete(until instant, now moment, behind func(queue int) bool) bool {
	if until <= a.heard {
		return true
	}
	kernel := now.wall - int64(now.mono.since(until))
	heard := now.mono
	for queue := range a.latest {
		switch {
		case !behind(queue):
		case a.latest[queue] >= kernel:
			heard = min(heard, until)
		default:
			return false
		}
	}
	a.heard = heard
	return true
}

// end ends a trace that wants nothing more, or puts that off while an
// answer to it may not have been heard yet. The caller holds mu.
func (e *Engine) end(t *trace) {
	waited := t.drained(t.end())
	if t.err == nil && waited != 0 {
		now := e.now()
		if now.mono.since(waited) < catchUpLimit && !e.arrivals.complete(waited, now, e.transport.Behind) {
			at := now.mono.add(catchUp)
			e.schedule.sleep(t, at)
			e.rouse(at)
			return
		}
	}
	e.finish(t)
}
