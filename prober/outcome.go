package prober

import (
	"cmp"
	"slices"
	"time"

	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// newResult renders the state of a trace, or of the two halves of a GREICMP
// trace, as of now and the clock's epoch now.
func newResult(traces []*trace, started time.Time, now mono.Instant, epoch uint16) *traceroute.Result {
	first := traces[0]
	r := &traceroute.Result{Spec: first.spec, Source: first.source, Started: started, Duration: now.Since(first.started)}
	var top int
	top, r.Stop = pathOf(traces)
	size := 0
	for _, t := range traces {
		end, _ := t.outcome()
		size += min(end, top) * len(t.flows)
	}
	r.Probes = make([]traceroute.Probe, 0, size)
	var beyond []surplus
	for i, t := range traces {
		beyond = t.report(r, top, len(traces) == 2 && i == 0, epoch, beyond)
	}
	slices.SortStableFunc(r.Probes, func(a, b traceroute.Probe) int { return cmp.Compare(a.TTL, b.TTL) })
	r.Limited = limitedTTLs(r.Probes, beyond)
	return r
}

// pathOf returns the last TTL to show of a trace, or of both halves of one, and
// why it is the last, given all answers so far.
func pathOf(traces []*trace) (top int, stop traceroute.Stop) {
	top, stop = traces[0].spec.MaxTTL, traceroute.Exhausted
	blocked := 0
	for _, t := range traces {
		t.reviewArrivals()
		switch end, why := t.outcome(); why {
		case traceroute.Reached:
			top, stop = min(top, end), traceroute.Reached
		case traceroute.Blocked:
			blocked++
		}
	}
	if stop == traceroute.Exhausted && blocked == len(traces) {
		stop = traceroute.Blocked
	}
	return top, stop
}

// outcome returns the last TTL to show and why it is the last.
func (t *trace) outcome() (top int, stop traceroute.Stop) {
	switch end := t.strategy.End(); {
	case end.Reached:
		return end.TTL, traceroute.Reached
	case end.Blocked:
		return end.TTL, traceroute.Blocked
	default:
		return end.TTL, traceroute.Exhausted
	}
}

// report appends the probes up to top to the result, counts the rest, and
// appends their answers to beyond.
func (t *trace) report(r *traceroute.Result, top int, encapsulated bool, epoch uint16, beyond []surplus) []surplus {
	own, _ := t.outcome()
	top = min(top, own)
	answers := make([]traceroute.Answer, 0, len(t.answers))
	r.Counts.Duplicates += t.counts.Duplicates
	r.Counts.Late += t.counts.Late
	r.Counts.Forged += t.lease.Forged()
	r.Counts.Retried += t.counts.Retried
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		for flow := range t.flows {
			s := t.slot(flow, ttl)
			if s.state != sent || t.flows[flow].repeats != 0 {
				continue
			}
			if ttl > top || !t.strategy.Wants(flow, ttl) {
				r.Counts.Beyond++
				if s.answer != 0 && t.answers[s.answer-1].kind.IsError() {
					from, at := t.answers[s.answer-1].from, s.user.Since(t.started)
					beyond = append(beyond, surplus{from: from, sent: at, encapsulated: encapsulated})
				}
				continue
			}
			p := t.probe(flow, ttl, encapsulated)
			if a := t.shown(flow, ttl); a.answer != 0 {
				answers = append(answers, t.answers[a.answer-1].public(a.sending(), epoch))
				p.Answer = &answers[len(answers)-1]
			}
			r.Probes = append(r.Probes, p)
		}
	}
	return beyond
}

// shown returns the state of a probe that was sent: that of its repetition when
// only that was answered.
func (t *trace) shown(flow, ttl int) *slot {
	s := t.slot(flow, ttl)
	if again := t.repetition(flow, ttl); s.answer == 0 && again != nil && again.answer != 0 {
		return again
	}
	return s
}

// probe is a probe as a Result shows it, without its answer.
func (t *trace) probe(flow, ttl int, encapsulated bool) traceroute.Probe {
	return traceroute.Probe{
		TTL: uint8(ttl), Flow: uint16(flow), Encapsulated: encapsulated,
		Sent: t.shown(flow, ttl).user.Since(t.started),
	}
}

// public is the answer as a Result shows it.
func (a *answer) public(s sending, epoch uint16) traceroute.Answer {
	rtt, clock := roundTrip(s, a.receipt, epoch)
	return traceroute.Answer{
		From: a.from, RTT: rtt, Clock: clock, Kind: a.kind, Code: a.code, Arrival: a.arrival,
		TTL: a.ttl, QuotedTTL: a.qttl, QuotedTOS: a.qtos, MTU: a.mtu, Extensions: a.ext,
	}
}
