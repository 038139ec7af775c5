package prober

import (
	"context"
	"fmt"
	"slices"

	"probe-agent/prober/mono"
)

// reservation is the wait of one caller for the identifiers of its traces.
type reservation struct {
	traces  []*trace
	granted chan struct{} // closed when all traces have their identifiers
}

// reserve allocates the identifiers of all traces, or none, and then returns
// what the caller has to wait for. Those that wait for the same are served in
// the order in which they came.
func (id *identity) reserve(traces []*trace, now mono.Instant) *reservation {
	id.expire(now)
	for _, t := range traces {
		for _, d := range []destination{{space: spaceOf(t.typ)}, destinationOf(t)} {
			if len(id.queues[d]) > 0 {
				return id.enqueue(d, traces)
			}
		}
	}
	if short, ok := id.acquireAll(traces, now); !ok {
		return id.enqueue(short, traces)
	}
	return nil
}

func (id *identity) enqueue(d destination, traces []*trace) *reservation {
	r := &reservation{traces: traces, granted: make(chan struct{})}
	id.queues[d] = append(id.queues[d], r)
	return r
}

// acquireAll allocates the identifiers of all traces, or none.
func (id *identity) acquireAll(traces []*trace, now mono.Instant) (short destination, ok bool) {
	for i, t := range traces {
		if short, ok := id.acquire(t, now); !ok {
			for _, taken := range traces[:i] {
				id.revert(taken)
			}
			return short, false
		}
	}
	return destination{}, true
}

// serve grants what waits for d, as far as there is enough.
func (id *identity) serve(d destination, now mono.Instant) {
	queue := id.queues[d]
	for len(queue) > 0 {
		r := queue[0]
		short, ok := id.acquireAll(r.traces, now)
		switch {
		case ok:
			close(r.granted)
		case short == d:
			id.queues[d] = queue
			return
		default: // something else is short by now, and what frees that serves its queue
			id.queues[short] = append(id.queues[short], r)
		}
		queue = queue[1:]
	}
	delete(id.queues, d)
}

// waiting reports whether any reservation waits.
func (id *identity) waiting() bool { return len(id.queues) > 0 }

// nextExpiry returns when the next quarantine ends, or mono.Forever.
func (id *identity) nextExpiry() mono.Instant {
	if len(id.quarantine) == 0 {
		return mono.Forever
	}
	return id.quarantine[0].until
}

// giveBack frees the identifiers of traces that have sent nothing: no late
// answer can name them.
func (id *identity) giveBack(traces []*trace, now mono.Instant) {
	for _, t := range traces {
		id.revert(t)
	}
	for _, t := range traces {
		id.serve(destinationOf(t), now)
		id.serve(destination{space: spaceOf(t.typ)}, now)
	}
}

// abandon gives a reservation up, or releases what it was granted.
func (id *identity) abandon(r *reservation, now mono.Instant) {
	select {
	case <-r.granted:
		id.giveBack(r.traces, now)
		return
	default:
	}
	for d, queue := range id.queues {
		if at := slices.Index(queue, r); at >= 0 {
			if queue = slices.Delete(queue, at, at+1); len(queue) == 0 {
				delete(id.queues, d)
			} else {
				id.queues[d] = queue
			}
			id.serve(d, now) // what it waited for may do for the next in line
			return
		}
	}
}

// register allocates the identifiers of the traces. It waits for those of
// other traces when there are none left, for as long as ctx lasts: then the
// error matches ErrCapacity and ctx.Err().
func (e *Engine) register(ctx context.Context, traces []*trace) error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	r := e.identity.reserve(traces, e.now().mono)
	if r != nil {
		e.rouse(e.identity.nextExpiry())
	}
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	var err error
	select {
	case <-r.granted:
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrCapacity, ctx.Err())
	case <-e.stop:
		err = ErrClosed
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.identity.abandon(r, e.now().mono)
	return err
}
