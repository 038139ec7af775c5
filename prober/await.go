package prober

import (
	"context"
	"fmt"
	"time"
)

// progressEvery is the least time between two calls of Spec.Progress.
const progressEvery = 50 * time.Millisecond

// await returns when all traces have finished, or ctx ends. It makes the calls
// of Spec.Progress and Spec.Heard.
func (e *Engine) await(ctx context.Context, traces []*trace, started time.Time) error {
	var tick <-chan time.Time
	if traces[0].spec.Progress != nil {
		ticker := time.NewTicker(progressEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	first := traces[0]
	for _, t := range traces {
		for open := true; open; {
			select {
			case <-t.done:
				open = false
			case <-first.responders.pending():
				e.deliver(first)
			case <-tick:
				if r := e.snapshot(traces, started); r != nil {
					first.spec.Progress(r)
				}
			case <-ctx.Done():
				return fmt.Errorf("prober: trace of %v cut short: %w", t.target, ctx.Err())
			}
		}
	}
	e.deliver(first)
	return nil
}

// snapshot returns the result so far, nil when nothing has changed.
func (e *Engine) snapshot(traces []*trace, started time.Time) *Result {
	e.collectStamps()
	e.mu.Lock()
	defer e.mu.Unlock()
	changed := false
	for _, t := range traces {
		changed = changed || t.changed
		t.changed = false
	}
	if !changed {
		return nil
	}
	r := newResult(traces, started, e.now().mono, e.clock.epoch)
	for _, t := range traces {
		if !t.finished {
			r.Stop = Running
		}
	}
	return r
}
