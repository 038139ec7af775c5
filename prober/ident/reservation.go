package ident

import (
	"slices"

	"probe-agent/prober/mono"
)

// Request asks for further flows of a lease.
type Request[O any] struct {
	Lease *Lease[O]
	Flows int // above 0; with those that the lease has, at most Registry.Capacity
	// Repeats: all SYNs of the flows have one sequence number, as
	// retransmissions have.
	Repeats bool

	had int // flows of the lease before the grant
}

// Reservation waits for the flows of some requests.
type Reservation[O any] struct {
	requests []Request[O]
	granted  chan struct{}
}

// Granted returns a channel that is closed when the flows are there.
func (v *Reservation[O]) Granted() <-chan struct{} { return v.granted }

// Reserve allocates the flows of all requests and returns nil, or it allocates
// none and returns what the caller has to wait for. Those that wait for the same
// are served in the order in which they came.
func (r *Registry[O]) Reserve(now mono.Instant, requests ...Request[O]) *Reservation[O] {
	r.Expire(now)
	if d, queued := r.contended(requests); queued {
		return r.enqueue(d, requests)
	}
	if short, ok := r.grantAll(requests, now); !ok {
		return r.enqueue(short, requests)
	}
	return nil
}

// TryReserve allocates the flows of a request, unless there are too few or
// others wait for them.
func (r *Registry[O]) TryReserve(now mono.Instant, request Request[O]) bool {
	requests := [...]Request[O]{request}
	if _, queued := r.contended(requests[:]); queued {
		return false
	}
	_, ok := r.grantAll(requests[:], now)
	return ok
}

// contended returns the first destination of the requests that others wait for.
func (r *Registry[O]) contended(requests []Request[O]) (d destination, queued bool) {
	if len(r.queues) == 0 {
		return d, false
	}
	for i := range requests {
		l := requests[i].Lease
		for _, d := range [...]destination{{space: l.Type.Space()}, l.destination()} {
			if len(r.queues[d]) > 0 {
				return d, true
			}
		}
	}
	return d, false
}

func (r *Registry[O]) enqueue(d destination, requests []Request[O]) *Reservation[O] {
	v := &Reservation[O]{requests: slices.Clone(requests), granted: make(chan struct{})}
	r.queues[d] = append(r.queues[d], v)
	return v
}

// grantAll allocates the flows of all requests, or none.
func (r *Registry[O]) grantAll(requests []Request[O], now mono.Instant) (short destination, ok bool) {
	for i := range requests {
		q := &requests[i]
		q.had = len(q.Lease.flows)
		if short, ok := r.grant(q, now); !ok {
			for _, earlier := range requests[:i] {
				r.revoke(earlier.Lease, earlier.had)
			}
			return short, false
		}
	}
	return destination{}, true
}

// serve grants what waits for d, as far as there is enough.
func (r *Registry[O]) serve(d destination, now mono.Instant) {
	queue := r.queues[d]
	for len(queue) > 0 {
		v := queue[0]
		short, ok := r.grantAll(v.requests, now)
		switch {
		case ok:
			close(v.granted)
		case short == d:
			r.queues[d] = queue
			return
		default: // something else is short by now, and what frees that serves its queue
			r.queues[short] = append(r.queues[short], v)
		}
		queue = queue[1:]
	}
	delete(r.queues, d)
}

// Waiting reports whether any reservation waits.
func (r *Registry[O]) Waiting() bool { return len(r.queues) > 0 }

// Abandon gives a reservation up, or returns the flows that it was granted.
// Nothing has been sent with them.
func (r *Registry[O]) Abandon(v *Reservation[O], now mono.Instant) {
	select {
	case <-v.granted:
		for i := range v.requests {
			r.revoke(v.requests[i].Lease, v.requests[i].had)
		}
		for i := range v.requests {
			l := v.requests[i].Lease
			r.serve(l.destination(), now)
			r.serve(destination{space: l.Type.Space()}, now)
		}
		return
	default:
	}
	for d, queue := range r.queues {
		if at := slices.Index(queue, v); at >= 0 {
			if queue = slices.Delete(queue, at, at+1); len(queue) == 0 {
				delete(r.queues, d)
			} else {
				r.queues[d] = queue
			}
			r.serve(d, now) // what it waited for may do for the next in line
			return
		}
	}
}
