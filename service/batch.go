package service

import (
	"context"
	"errors"
	"sync"
	"time"

	"probe-agent/internal/panics"
	"probe-agent/traceroute"
)

// eventQueue is how many events of a batch may wait until they are taken; the
// colo waits when there are more.
const eventQueue = 16

// traceAt traces all targets at one colo, in batches of as many as the ticket
// allows at once. It returns when all have ended.
func (r *Run) traceAt(ctx context.Context, colo int) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := r.job.colos[colo]
	if m.stay.Err() != nil {
		cancel(errLeft)
	}
	defer context.AfterFunc(m.stay, func() { cancel(errLeft) })()
	var batches sync.WaitGroup
	defer batches.Wait()
	started := time.Now()
	for next, targets := 0, len(r.job.targets); next < targets; {
		b := &batch{run: r, colo: colo, first: next}
		if err := r.ticket.Begin(ctx); err != nil {
			b.open(targets-next, started)
			b.failRest(traceroute.FailureOf(err, context.Cause(ctx)))
			return
		}
		next++
		for next < targets && r.ticket.TryBegin() {
			next++
		}
		b.open(next-b.first, time.Now())
		b.begun = true
		if next == targets {
			b.trace(ctx)
			return
		}
		batches.Go(func() { b.trace(ctx) })
	}
}

// batch is some targets of a run as traced by one colo, with one call. Only the
// goroutine that runs trace uses it.
type batch struct {
	run     *Run
	colo    int // index into the job's
	first   int // index of the first target into the job's
	started time.Time
	begun   bool   // each target without an outcome holds a grant of the ticket
	running []bool // by target: without an outcome
}

func (b *batch) open(targets int, started time.Time) {
	b.running, b.started = make([]bool, targets), started
	for i := range b.running {
		b.running[i] = true
	}
}

// trace has the colo trace the targets. Afterwards all have an outcome.
func (b *batch) trace(ctx context.Context) {
	job := b.run.job
	asked := traceroute.Batch{Targets: job.targets[b.first : b.first+len(b.running)], Spec: job.spec, Live: job.live}
	events := make(chan traceroute.Event, eventQueue)
	returned := make(chan error, 1)
	go func() {
		var err error
		defer func() { returned <- err }() // also when Trace ends its goroutine
		err = call(ctx, job.colos[b.colo].colo, asked, events)
	}()
	err := b.receive(events, returned)
	if _, panicked := errors.AsType[*panics.Error](err); panicked {
		b.run.fail(err)
	}
	if err == nil && ctx.Err() == nil {
		err = errNoOutcome
	}
	b.failRest(traceroute.FailureOf(err, context.Cause(ctx)))
}

// errNoOutcome is what a colo does that returns before all targets have an outcome.
var errNoOutcome = &traceroute.Failure{Code: traceroute.Unsent, Reason: "the colo ended without a result"}

// call is colo.Trace, with panics as errors.
func call(ctx context.Context, colo Colo, asked traceroute.Batch, events chan<- traceroute.Event) (err error) {
	defer panics.Catch(&err)
	return colo.Trace(ctx, asked, events)
}

// receive takes events until the colo has returned, whose error it returns.
func (b *batch) receive(events <-chan traceroute.Event, returned <-chan error) error {
	for {
		select {
		case e := <-events:
			b.take(e)
		case err := <-returned:
			for len(events) > 0 {
				b.take(<-events)
			}
			return err
		}
	}
}

// take takes one event. What a colo must not send is ignored.
func (b *batch) take(e traceroute.Event) {
	if e.Target < 0 || e.Target >= len(b.running) || !b.running[e.Target] {
		return
	}
	switch {
	case e.Outcome != nil:
		if (e.Outcome.Result == nil) == (e.Outcome.Failure == nil) {
			return // neither this nor that; failRest finds one
		}
		b.end(e.Target, e.Outcome)
	case e.Hops != nil:
		b.run.board.setHops(b.traceOf(e.Target), e.Hops)
	default:
		if err := b.run.service.prefetch(e.Responders); err != nil {
			b.run.fail(err)
		}
	}
}

// traceOf returns the index of a target's trace into the run's.
func (b *batch) traceOf(target int) int {
	return (b.first+target)*len(b.run.job.colos) + b.colo
}

func (b *batch) end(target int, outcome *traceroute.Outcome) {
	b.running[target] = false
	if b.begun {
		b.run.ticket.End()
	}
	b.run.settle(b.traceOf(target), outcome)
}

// failRest gives the targets without an outcome this one.
func (b *batch) failRest(failure *traceroute.Failure) {
	took := time.Since(b.started)
	for target, running := range b.running {
		if running {
			b.end(target, &traceroute.Outcome{Failure: failure, Took: took})
		}
	}
}
