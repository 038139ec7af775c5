package prober

import "net/netip"

// responders queues the calls of Spec.Heard for one call of Trace. Replies are
// matched under the engine's lock; the callback runs without it, on the
// goroutine that called Trace. A nil *responders discards what is added.
type responders struct {
	queued []responder // at most one for each answer; guarded by Engine.mu
	taken  []responder // the consumer's; its memory is reused for queued
	ready  chan struct{}
}

// responder is the arguments of one call of Spec.Heard.
type responder struct {
	from netip.Addr
	ttl  uint8
}

func newResponders(spec *Spec) *responders {
	if spec.Heard == nil {
		return nil
	}
	return &responders{ready: make(chan struct{}, 1)}
}

// add queues a call. The caller holds Engine.mu.
func (r *responders) add(from netip.Addr, ttl uint8) {
	if r == nil {
		return
	}
	r.queued = append(r.queued, responder{from, ttl})
	select {
	case r.ready <- struct{}{}:
	default:
	}
}

// pending returns the channel that receives when calls are queued.
func (r *responders) pending() <-chan struct{} {
	if r == nil {
		return nil
	}
	return r.ready
}

// deliver makes the calls that are queued for t.
func (e *Engine) deliver(t *trace) {
	r := t.responders
	if r == nil {
		return
	}
	e.mu.Lock()
	r.taken, r.queued = r.queued, r.taken[:0]
	e.mu.Unlock()
	for _, call := range r.taken {
		t.spec.Heard(call.from, call.ttl)
	}
}
