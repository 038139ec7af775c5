package api

import (
	"context"
	"runtime/debug"
	"sync"

	v1 "probe-agent/api/v1"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// liveRun is a run under way and a board with its state. Traces write to it
// whenever something changes and never wait for the reader; what the reader
// has not taken by then is replaced. So it holds no more than each trace's
// latest state, however slow the reader is.
type liveRun struct {
	service *Service
	ctx     context.Context
	cancel  context.CancelFunc

	fresh    chan struct{} // capacity 1: there is something to take
	finished chan struct{} // closed when the run has ended; guards the next three
	run      *run
	err      error
	panicked *coloPanic

	mu     sync.Mutex // guards what follows
	begun  []v1.Begun
	latest []traceState
}

// traceState is what is to be told of a trace.
type traceState struct {
	trace int
	hops  []v1.Hop    // as last seen, without names; nil: nothing to tell
	done  *v1.Outcome // instead of hops
}

// start begins a run, whose owner must stop it.
func (s *Service) start(ctx context.Context, req Request) *liveRun {
	l := &liveRun{service: s, fresh: make(chan struct{}, 1), finished: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancel(ctx)
	go func() {
		defer close(l.finished)
		defer func() {
			v := recover()
			if p, ok := v.(*coloPanic); ok {
				l.panicked = p
			} else if v != nil {
				l.panicked = &coloPanic{v, debug.Stack()}
			}
		}()
		l.run, l.err = s.run(l.ctx, req, l)
	}()
	return l
}

// stop ends the probing, if it has not ended yet, and waits for that.
func (l *liveRun) stop() {
	l.cancel()
	<-l.finished
}

// planned implements watcher.
func (l *liveRun) planned(traces []coloTrace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = make([]traceState, len(traces))
	for i := range traces {
		l.begun = append(l.begun, v1.Begun{Trace: i, Target: traces[i].target, Colo: traces[i].nativeColo()})
	}
	l.notify()
}

// progress implements watcher.
func (l *liveRun) progress(trace int, so *traceroute.Result) {
	l.post(traceState{trace: trace, hops: v1.Hops(so, stats.Summarize(so), nil)})
}

// done implements watcher.
func (l *liveRun) done(trace int, t coloTrace) {
	outcome := t.outcome(l.service.annotate(l.ctx, t))
	l.post(traceState{trace: trace, done: &outcome})
}

func (l *liveRun) post(s traceState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest[s.trace] = s
	l.notify()
}

func (l *liveRun) notify() {
	select {
	case l.fresh <- struct{}{}:
	default: // the reader knows already
	}
}

// take returns what is to be told, each thing once.
func (l *liveRun) take() (begun []v1.Begun, states []traceState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun, l.begun = l.begun, nil
	for i, s := range l.latest {
		if s.hops != nil || s.done != nil {
			states = append(states, s)
			l.latest[i] = traceState{}
		}
	}
	return begun, states
}
