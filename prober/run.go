package prober

import (
	"context"
	"fmt"
	"time"

	"probe-agent/traceroute"
)

// run carries the traces of one call out.
func (e *Engine) run(ctx context.Context, traces []*trace) (*traceroute.Result, error) {
	if err := e.reserve(ctx, traces); err != nil {
		return nil, err
	}
	defer e.release(traces)
	if err := e.route(traces); err != nil {
		return nil, err
	}
	started, err := e.carryOut(ctx, traces)
	return e.reap(traces, started, err)
}

// carryOut starts the traces, waits for their end, and returns when it was that
// they started.
func (e *Engine) carryOut(ctx context.Context, traces []*trace) (started time.Time, err error) {
	for _, t := range traces {
		if err := t.craft(); err != nil {
			return started, err
		}
	}
	started = e.start(traces)
	if err := e.await(ctx, traces); err != nil {
		return started, err
	}
	e.collectStamps()
	return started, nil
}

// reap ends the traces, whatever their state, and returns what came of them,
// unless there is an error already.
func (e *Engine) reap(traces []*trace, started time.Time, err error) (*traceroute.Result, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, t := range traces {
		if err == nil {
			err = t.err
		}
		e.finish(t)
	}
	if err != nil {
		return nil, err
	}
	r := newResult(traces, started, now.mono, e.clock.epoch)
	e.totals.countClocks(r)
	return r, nil
}

// start hands the traces to the sender.
func (e *Engine) start(traces []*trace) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, t := range traces {
		t.started = now.mono
		if e.closed {
			t.err = ErrClosed
			e.finish(t)
			continue
		}
		t.strategy.Start(now.mono)
		e.running[t] = struct{}{}
		t.prefix = e.prefixes.Join(t.lease.Target, now.mono)
		t.txQueue = int(t.lease.Nonce >> 32 % uint64(len(e.txQueues)))
		e.schedule.push(t)
	}
	e.rouse(now.mono)
	return e.base.Add(time.Duration(now.mono))
}

// finish takes t out of the schedule and wakes its owner. The caller holds mu.
func (e *Engine) finish(t *trace) {
	if t.finished {
		return
	}
	t.finished = true
	e.unbusy(t)
	e.schedule.forget(t)
	e.prefixes.Leave(t.prefix)
	t.prefix = nil
	delete(e.running, t)
	t.poke()
}

// await returns when all traces have finished, or ctx ends. It sends their
// Updates meanwhile, and allocates the flows that they ask for.
func (e *Engine) await(ctx context.Context, traces []*trace) error {
	pace := newUpdatePace(traces[0].changes)
	defer pace.stop()
	first, last := traces[0], traces[len(traces)-1] // the halves, or the same
	for {
		select {
		case <-first.news:
			if e.finished(traces) {
				return nil
			}
			for _, t := range traces {
				if err := e.extend(t); err != nil {
					return err
				}
			}
		case <-first.granted():
			if err := e.attach(first, first.waitsFor); err != nil {
				return err
			}
		case <-last.granted():
			if err := e.attach(last, last.waitsFor); err != nil {
				return err
			}
		case <-pace.news:
			pace.wait()
		case <-pace.due:
			e.update(traces)
			pace.ready()
		case <-ctx.Done():
			if first.waiting != nil || last.waiting != nil {
				return fmt.Errorf("%w: %w", ErrCapacity, ctx.Err())
			}
			return fmt.Errorf("prober: trace of %v cut short: %w", first.lease.Target, ctx.Err())
		}
	}
}

func (e *Engine) finished(traces []*trace) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, t := range traces {
		if !t.finished {
			return false
		}
	}
	return true
}
