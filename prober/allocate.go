package prober

import (
	"context"
	"fmt"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/strategy"
)

// reserve allocates the identifiers of the flows that the traces start with. It
// waits for those of other traces when there are none left, for as long as ctx
// lasts: then the error matches ErrCapacity and ctx.Err().
func (e *Engine) reserve(ctx context.Context, traces []*trace) error {
	requests := make([]ident.Request[*trace], 0, 2)
	for _, t := range traces {
		requests = append(requests, ident.Request[*trace]{Lease: &t.lease, Flows: len(t.flows)})
	}
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return ErrClosed
	}
	v := e.registry.Reserve(e.now().mono, requests...)
	if v != nil {
		e.rouse(e.registry.NextExpiry())
	}
	e.mu.Unlock()
	if v == nil {
		return nil
	}
	var err error
	select {
	case <-v.Granted():
		return nil
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrCapacity, ctx.Err())
	case <-e.stop:
		err = ErrClosed
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.registry.Abandon(v, e.now().mono)
	return err
}

// release ends the traces if they have not ended yet, and puts the identifiers
// of their flows into quarantine, unless nothing was sent with them.
func (e *Engine) release(traces []*trace) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for _, t := range traces {
		e.finish(t)
		if t.waiting != nil {
			e.registry.Abandon(t.waiting, now.mono)
		}
		until := now.mono
		if t.sentTop > 0 {
			until = until.Add(ident.Quarantine(t.spec.Wait))
		}
		e.registry.Release(&t.lease, until)
	}
	if e.registry.Waiting() {
		e.rouse(e.registry.NextExpiry())
	}
}

// craft makes the packet templates of the flows that have none: the first one
// of a trace is crafted, the others are made after it.
func (t *trace) craft() error {
	for i := range t.flows {
		f := &t.flows[i]
		if f.template != nil {
			continue
		}
		wanted := t.lease.Wire(i)
		var err error
		if i == 0 {
			f.template, err = packet.NewTemplate(wanted)
		} else {
			f.template, err = t.flows[0].template.For(wanted)
		}
		if err != nil {
			return fmt.Errorf("prober: probe for %v: %w", t.lease.Target, err)
		}
	}
	return nil
}

// want hands the strategy's wish for further flows to the goroutine that called
// Trace. The caller holds mu.
func (e *Engine) want(t *trace, s strategy.Step) {
	t.strategy.Allocating()
	t.wanted = s
	t.poke()
}

// poke wakes the goroutine that called Trace.
func (t *trace) poke() {
	select {
	case t.news <- struct{}{}:
	default:
	}
}

// extend allocates the flows that a trace's strategy has asked for, if it has, or
// begins to wait for them. An error is that of attach.
func (e *Engine) extend(t *trace) error {
	e.mu.Lock()
	s := t.wanted
	t.wanted = strategy.Step{}
	if s.Action != strategy.Allocate || t.finished {
		e.mu.Unlock()
		return nil
	}
	now := e.now().mono
	request := ident.Request[*trace]{Lease: &t.lease, Flows: int(s.Flows), Repeats: s.Repeats}
	allocated := true
	switch {
	case len(t.flows)+request.Flows > e.registry.Capacity(t.lease.Type):
		allocated = false // nor will they ever be
	case s.Waits:
		t.waiting = e.registry.Reserve(now, request)
	default:
		allocated = e.registry.TryReserve(now, request)
	}
	if t.waiting != nil {
		t.waitsFor = s
		e.rouse(e.registry.NextExpiry())
	}
	e.mu.Unlock()
	if t.waiting != nil {
		return nil
	}
	if !allocated {
		s.Flows = 0
	}
	return e.attach(t, s)
}

// granted receives when the flows are there that the trace waits for; nil: it
// waits for none.
func (t *trace) granted() <-chan struct{} {
	if t.waiting == nil {
		return nil
	}
	return t.waiting.Granted()
}

// attach gives a trace the flows that have been allocated for a step. An error
// means that there is no route any more.
func (e *Engine) attach(t *trace, s strategy.Step) error {
	t.waiting = nil
	first := len(t.flows)
	flows := make([]flow, s.Flows)
	if s.Repeats {
		for i := range flows { // the same way as those that they repeat
			flows[i].egress, flows[i].repeats = t.flows[i].egress, i+1
		}
	} else if err := e.routeFlows(t, first, flows); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	t.flows = append(t.flows, flows...)
	t.slots = append(t.slots, make([]slot, len(flows)*t.spec.MaxTTL)...)
	for i := first; i < len(t.flows); i++ {
		t.lease.Flow(i).Source = t.flows[i].egress.Source
		if of := t.flows[i].repeats; of != 0 {
			t.flows[of-1].repeatedBy = i + 1
		}
	}
	if err := t.craft(); err != nil {
		t.err = err
	}
	t.strategy.Allocated(len(flows))
	if !t.finished {
		e.schedule.push(t)
		e.rouse(e.now().mono)
	}
	return nil
}
