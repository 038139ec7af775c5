package service

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// Run is a job under way, or what came of it. All methods are safe for
// concurrent use.
type Run struct {
	id      string
	started time.Time
	service *Service
	job     *Job
	ticket  *quota.Ticket
	traces  []Trace

	ctx    context.Context         // of everything that the run does
	cancel context.CancelCauseFunc // with a *traceroute.Failure: open traces fail with it, the run does not
	unhook func() bool             // from Service.Cut

	board      *board
	annotating sync.WaitGroup

	mu       sync.Mutex // guards what follows until done is closed
	outcomes []*traceroute.Outcome
	notes    traceroute.Notes
	took     time.Duration
	err      error

	done chan struct{} // closed when all has ended
}

func newRun(ctx context.Context, s *Service, job *Job, ticket *quota.Ticket) *Run {
	r := &Run{
		id: rand.Text(), started: time.Now(), service: s, job: job, ticket: ticket, traces: job.Traces(),
		notes: make(traceroute.Notes), done: make(chan struct{}),
	}
	r.outcomes = make([]*traceroute.Outcome, len(r.traces))
	r.board = newBoard(len(r.traces))
	r.ctx, r.cancel = context.WithCancelCause(ctx)
	r.unhook = context.AfterFunc(s.life, func() { r.cancel(errCut) })
	return r
}

// ID returns the name of the run: 26 letters and digits that cannot be guessed.
func (r *Run) ID() string { return r.id }

// Traces returns the traces of the run, by target, then colo, in the order
// requested. It must not be changed.
func (r *Run) Traces() []Trace { return r.traces }

// Done returns a channel that is closed when the run has ended and holds
// nothing any more: no goroutine, no grant of its ticket, no identifier.
func (r *Run) Done() <-chan struct{} { return r.done }

// Cancel ends the run, unless it has ended. Traces that have ended stay; the
// others fail with ErrCancelled. It does not wait for that.
func (r *Run) Cancel() { r.cancel(ErrCancelled) }

// Wait waits for the end of the run and returns what came of its traces, one
// outcome for each of Traces. The error is a *panics.Error when something
// panicked; it matches the cause of the end of the context that the run was
// started with, if that ended it, unless the cause is a *traceroute.Failure,
// which the open traces have failed with then. It wraps that of ctx when ctx
// ended first.
func (r *Run) Wait(ctx context.Context) ([]traceroute.Outcome, error) {
	select {
	case <-r.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("service: waiting for a run: %w", ctx.Err())
	}
	if r.err != nil {
		return nil, r.err
	}
	outcomes := make([]traceroute.Outcome, len(r.outcomes))
	for i, outcome := range r.outcomes {
		outcomes[i] = *outcome
	}
	return outcomes, nil
}

// Took returns how long the traces of a run that has ended took together,
// admission included and annotation not. 0 before.
func (r *Run) Took() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.took
}

// Notes waits for the end of the run and returns what is known of the addresses
// in its outcomes. It must not be changed.
func (r *Run) Notes() traceroute.Notes {
	<-r.done
	return r.notes
}

// refused ends a run that was not admitted and returns why.
func (r *Run) refused(err error) error {
	r.unhook()
	cause := context.Cause(r.ctx)
	r.cancel(nil)
	close(r.done)
	switch {
	case errors.Is(cause, errCut):
		return &quota.Error{Reason: quota.ErrShuttingDown}
	case cause != nil:
		return abandoned(cause)
	}
	return err
}

func abandoned(cause error) error { return fmt.Errorf("service: run abandoned: %w", cause) }

// supervise is the goroutine of the run. ctx is the run's, with the deadline.
func (r *Run) supervise(ctx context.Context) {
	var colos sync.WaitGroup
	for i := range r.job.colos[1:] {
		colos.Go(func() { r.traceAt(ctx, i+1) })
	}
	r.traceAt(ctx, 0)
	colos.Wait()
	took := time.Since(r.started)
	r.annotating.Wait()
	if !r.job.live {
		r.annotate(r.outcomes...)
		for i, outcome := range r.outcomes {
			r.publish(i, outcome, r.notes)
		}
	}
	r.end(took)
}

// end is the last thing that the run does.
func (r *Run) end(took time.Duration) {
	r.unhook()
	r.mu.Lock()
	if cause := context.Cause(r.ctx); cause != nil && r.err == nil {
		if _, planned := errors.AsType[*traceroute.Failure](cause); !planned {
			r.err = abandoned(cause)
		}
	}
	r.took = took
	failed := r.err != nil
	r.mu.Unlock()
	r.cancel(nil)
	r.board.end(took, failed)
	close(r.done)
}

// fail ends the run because something panicked. The first error counts.
func (r *Run) fail(err error) {
	r.mu.Lock()
	if r.err == nil {
		r.err = err
	}
	r.mu.Unlock()
	r.cancel(err)
}

// settle takes what came of a trace.
func (r *Run) settle(trace int, outcome *traceroute.Outcome) {
	r.mu.Lock()
	r.outcomes[trace] = outcome
	r.mu.Unlock()
	if !r.job.live {
		return // all are annotated together, when the last is there
	}
	if r.service.annotator == nil {
		r.publish(trace, outcome, nil)
		return
	}
	r.annotating.Go(func() { r.publish(trace, outcome, r.annotate(outcome)) })
}

// publish shows readers what came of a trace, unless the run has failed: what
// made it fail may have ended the trace, too.
func (r *Run) publish(trace int, outcome *traceroute.Outcome, notes traceroute.Notes) {
	r.mu.Lock()
	failed := r.err != nil
	r.mu.Unlock()
	if !failed {
		r.board.setOutcome(trace, outcome, notes)
	}
}

// annotate finds what is known of the addresses in the outcomes, and remembers
// it.
func (r *Run) annotate(outcomes ...*traceroute.Outcome) traceroute.Notes {
	notes, err := r.service.annotate(r.ctx, outcomes...)
	if err != nil {
		r.fail(err)
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.notes, notes)
	return notes
}
