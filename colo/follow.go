package colo

import (
	"context"
	"errors"
	"net/netip"

	"probe-agent/internal/panics"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// responderQueue is how many responders of a trace may wait to be reported;
// further ones are not.
const responderQueue = 32

// follower runs one trace and reports how it gets on, without those who are to
// be hidden.
type follower struct {
	target int // index into the batch
	spec   traceroute.Spec
	events chan<- traceroute.Event

	responders chan traceroute.Responder
	updates    chan prober.Update // nil: not wanted
	redaction  *redaction         // nil: nothing is hidden
	reported   []traceroute.Responder
}

// newFollower returns a follower of a trace of the first of some addresses that
// can be sent to, which hides the first hops.
func newFollower(target int, live bool, spec traceroute.Spec, first netip.Addr, hops int, events chan<- traceroute.Event) *follower {
	f := &follower{
		target: target, spec: spec, events: events,
		responders: make(chan traceroute.Responder, responderQueue),
	}
	f.spec.Target = first
	if live {
		f.updates = make(chan prober.Update, 1)
	}
	if hops > 0 {
		f.redaction = newRedaction(first, hops)
	}
	return f
}

// follow traces the first of the addresses that can be sent to, and returns when
// that has ended. When reporting panics, cancel ends ctx. The error is a
// *panics.Error.
func (f *follower) follow(ctx context.Context, cancel context.CancelCauseFunc, tracer Tracer, addrs []netip.Addr) (*traceroute.Result, *traceroute.Failure, error) {
	returned := make(chan struct{})
	var result *traceroute.Result
	var err error
	go func() {
		defer close(returned)
		defer panics.Catch(&err)
		result, err = tracer.TraceFirst(ctx, f.spec, addrs, prober.Feed{Responders: f.responders, Updates: f.updates})
	}()
	if broken := f.report(returned); broken != nil {
		cancel(broken)
		<-returned
		return nil, nil, broken
	}
	switch _, panicked := errors.AsType[*panics.Error](err); {
	case panicked:
		return nil, nil, err
	case err == nil:
		return traceroute.Redact(result, f.redaction.count()), nil, nil
	case ctx.Err() != nil:
		return nil, traceroute.FailureOf(err, context.Cause(ctx)), nil
	}
	return nil, unsent(err), nil
}

// report sends events until the trace has returned. Updates that wait then are
// dropped: the outcome says more. The error is a *panics.Error.
func (f *follower) report(returned <-chan struct{}) (err error) {
	defer panics.Catch(&err)
	for {
		select {
		case r := <-f.responders:
			f.reportResponders(r)
		case u := <-f.updates:
			f.reportUpdate(u)
		case <-returned:
			if len(f.responders) > 0 {
				f.reportResponders(<-f.responders)
			}
			return nil
		}
	}
}

// reportResponders reports a responder, with those that wait.
func (f *follower) reportResponders(r traceroute.Responder) {
	before := len(f.reported)
	for {
		if !f.redaction.hides(r) {
			f.reported = append(f.reported, r) // what was sent is never overwritten
		}
		if len(f.responders) == 0 {
			break
		}
		r = <-f.responders
	}
	if after := len(f.reported); after > before {
		f.events <- traceroute.Event{Target: f.target, Responders: f.reported[before:after:after]}
	}
}

// reportUpdate reports the hops that have changed.
func (f *follower) reportUpdate(u prober.Update) {
	spec := f.spec
	spec.Target = u.Target
	hops := make([]traceroute.Hop, 0, len(u.TTLs))
	report := func(ttl uint8, probes []traceroute.Probe) {
		hops = append(hops, stats.SummarizeHop(ttl, probes, &spec, u.Elapsed))
	}
	if f.redaction != nil {
		f.redaction.apply(u, report)
	} else {
		probes := u.Probes
		for _, ttl := range u.TTLs {
			var of []traceroute.Probe
			of, probes = cutTTL(probes, ttl)
			report(ttl, of)
		}
	}
	if len(hops) > 0 {
		f.events <- traceroute.Event{Target: f.target, Hops: hops}
	}
}

// cutTTL splits probes, which are ordered by TTL and have none of a lower one,
// into those of a TTL and the rest.
func cutTTL(probes []traceroute.Probe, ttl uint8) (of, rest []traceroute.Probe) {
	n := 0
	for n < len(probes) && probes[n].TTL == ttl {
		n++
	}
	return probes[:n], probes[n:]
}
