package rounds

import (
	"context"
	"errors"
	"io"
	"time"

	"probe-agent/quota"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// Config says what to trace, and how often.
type Config struct {
	Service  *service.Service
	Request  service.Request
	Rounds   int           // 0: without end
	Interval time.Duration // from the beginning of one round to that of the next; above 0
}

// Form shows rounds, one after another. Its methods are not called at once.
type Form interface {
	// live reports whether hops are wanted while their trace runs.
	live() bool
	// events shows what has just happened in a round.
	events(round int, events []service.Event) error
	// end shows a round that has ended.
	end(round int, run *service.Run, outcomes []traceroute.Outcome) error
	// close shows what the last round leaves to show.
	close() error
}

// Trace traces until all rounds are through or ctx ends, and returns what came of
// the last round that counts: one outcome for each target and colo. When ctx ends,
// the traces of the first round that are under way fail, and later rounds do not
// count. The error is that of the service or of the form.
func Trace(ctx context.Context, c Config, form Form) ([]traceroute.Outcome, error) {
	c.Request.Live = form.live()
	job, err := c.Service.Check(c.Request)
	if err != nil {
		return nil, err
	}
	tick := time.NewTicker(c.Interval)
	defer tick.Stop()
	var last []traceroute.Outcome
	for number := 1; ; number++ {
		run, outcomes, err := c.trace(ctx, job, number, form)
		if err != nil {
			return nil, err
		}
		if ctx.Err() != nil && number > 1 {
			break // the rounds before it are what was asked for
		}
		last = outcomes
		if err := form.end(number, run, outcomes); err != nil {
			return nil, err
		}
		if number == c.Rounds || !next(ctx, tick.C) {
			break
		}
	}
	return last, form.close()
}

// next waits for the next round and reports whether there is one.
func next(ctx context.Context, tick <-chan time.Time) bool {
	select {
	case <-tick:
		return true
	case <-ctx.Done():
		return false
	}
}

// trace traces one round. The end of ctx is not an error: traces fail by it.
func (c *Config) trace(ctx context.Context, job *service.Job, number int, form Form) (*service.Run, []traceroute.Outcome, error) {
	ticket := quota.Unlimited()
	defer ticket.Close()
	run, err := c.Service.Start(context.WithoutCancel(ctx), job, ticket)
	if err != nil {
		return nil, nil, err
	}
	defer context.AfterFunc(ctx, run.Cancel)()
	subscription := run.Subscribe(0)
	for {
		events, err := subscription.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = form.events(number, events)
		}
		if err != nil {
			run.Cancel()
			<-run.Done()
			return nil, nil, err
		}
	}
	outcomes, err := run.Wait(context.Background())
	return run, outcomes, err
}

// interrupted reports whether a trace was ended by the end of Trace's context, for
// which its run was cancelled.
func interrupted(f *traceroute.Failure) bool { return f.Reason == service.ErrCancelled.Reason }

// reason says why a trace failed.
func reason(f *traceroute.Failure) string {
	if interrupted(f) {
		return "interrupted"
	}
	return f.Reason
}
