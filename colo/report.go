package colo

import (
	"context"
	"net/netip"
	"time"

	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

const (
	// responderQueue is how many responders may wait to be reported, for each
	// target of a batch, and minResponderQueue for a batch of few; further ones are
	// not.
	responderQueue    = 8
	minResponderQueue = 32

	// respondersEvery is the minimum time between two reports of responders:
	// many together cost less, and a look-up can wait that long.
	respondersEvery = 25 * time.Millisecond
)

// reporter reports how the traces of a batch get on, without those who are to be
// hidden. All of it belongs to the goroutine that called Local.Trace.
type reporter struct {
	spec   traceroute.Spec // of all traces, without Target
	hops   int             // to be hidden
	events chan<- traceroute.Event

	responders chan prober.Responder
	updates    chan prober.Update // nil: not wanted
	ended      chan ended         // has room for all traces

	over       []bool       // by target: its Outcome has been reported
	redactions []*redaction // by target; nil when nothing is hidden
	block      []traceroute.Responder
}

// ended is the end of one trace.
type ended struct {
	target  int
	outcome *traceroute.Outcome
	err     error // a *panics.Error; there is no outcome then
}

func newReporter(batch traceroute.Batch, hops int, events chan<- traceroute.Event) *reporter {
	n := len(batch.Targets)
	r := &reporter{
		spec: batch.Spec, hops: hops, events: events,
		responders: make(chan prober.Responder, max(minResponderQueue, n*responderQueue)), ended: make(chan ended, n), over: make([]bool, n),
	}
	if batch.Live {
		r.updates = make(chan prober.Update, n)
	}
	if hops > 0 {
		r.redactions = make([]*redaction, n)
	}
	return r
}

// feed is where the trace of a target reports to.
func (r *reporter) feed(target int) prober.Feed {
	return prober.Feed{Trace: target, Responders: r.responders, Updates: r.updates}
}

// report sends events until all traces have ended. Updates that wait when a trace
// ends are dropped: the outcome says more. A trace that panicked ends the
// others; its error is returned.
func (r *reporter) report(cancel context.CancelCauseFunc) (err error) {
	responders := r.responders // nil for a while after each report
	pause := time.NewTimer(respondersEvery)
	defer pause.Stop()
	for open := len(r.over); open > 0; {
		select {
		case responder := <-responders:
			r.reportResponders(responder)
			responders = nil
			pause.Reset(respondersEvery)
		case <-pause.C:
			responders = r.responders
		case update := <-r.updates:
			r.reportUpdate(update)
		case end := <-r.ended:
			open--
			if len(r.responders) > 0 {
				r.reportResponders(<-r.responders)
			}
			if end.err != nil && err == nil {
				err = end.err
				cancel(err)
			}
			r.over[end.target] = true
			if end.outcome != nil {
				r.events <- traceroute.Event{Target: end.target, Outcome: end.outcome}
			}
		}
	}
	return err
}

// redaction returns what hides the hops of a target, nil for none.
func (r *reporter) redaction(target int, addr netip.Addr) *redaction {
	if r.redactions == nil {
		return nil
	}
	if d := r.redactions[target]; d == nil || d.target != addr {
		r.redactions[target] = newRedaction(addr, r.hops)
	}
	return r.redactions[target]
}

// reportResponders reports a responder, with those that wait.
func (r *reporter) reportResponders(next prober.Responder) {
	target, from := next.Trace, len(r.block)
	for {
		if next.Trace != target {
			r.sendResponders(target, from)
			target, from = next.Trace, len(r.block)
		}
		if !r.over[next.Trace] && !r.redaction(next.Trace, next.Target).hides(next.Responder) {
			if len(r.block) == cap(r.block) { // what has been sent stays as it is
				r.block = append(make([]traceroute.Responder, 0, max(2*(len(r.block)-from), minResponderQueue)), r.block[from:]...)
				from = 0
			}
			r.block = append(r.block, next.Responder)
		}
		if len(r.responders) == 0 {
			break
		}
		next = <-r.responders
	}
	r.sendResponders(target, from)
}

func (r *reporter) sendResponders(target, from int) {
	if all := r.block[from:len(r.block):len(r.block)]; len(all) > 0 {
		r.events <- traceroute.Event{Target: target, Responders: all}
	}
}

// reportUpdate reports the hops that have changed.
func (r *reporter) reportUpdate(u prober.Update) {
	if r.over[u.Trace] {
		return
	}
	spec := r.spec
	spec.Target = u.Target
	hops := make([]traceroute.Hop, 0, len(u.TTLs))
	report := func(ttl uint8, probes []traceroute.Probe) {
		hops = append(hops, stats.SummarizeHop(ttl, probes, &spec, u.Elapsed))
	}
	if d := r.redaction(u.Trace, u.Target); d != nil {
		d.apply(u, report)
	} else {
		probes := u.Probes
		for _, ttl := range u.TTLs {
			var of []traceroute.Probe
			of, probes = cutTTL(probes, ttl)
			report(ttl, of)
		}
	}
	if len(hops) > 0 {
		r.events <- traceroute.Event{Target: u.Trace, Hops: hops}
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
