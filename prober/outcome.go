package prober

import (
	"cmp"
	"slices"
	"time"
)

// newResult renders the state of a trace, or of the two halves of a GREICMP
// trace, as of now and the clock's epoch now.
func newResult(traces []*trace, started time.Time, now instant, epoch uint16) *Result {
	first := traces[0]
	r := &Result{Spec: first.spec, Source: first.source, Started: started, Duration: now.since(first.started)}
	r.Spec.Progress, r.Spec.Heard = nil, nil
	top := first.spec.MaxTTL
	r.Stop = Exhausted
	for _, t := range traces {
		t.reviewArrivals()
		end, stop := t.outcome()
		if stop == Reached {
			r.Stop, top = Reached, min(top, end)
		}
	}
	blocked, size := 0, 0
	for _, t := range traces {
		end, stop := t.outcome()
		if stop == Blocked {
			blocked++
		}
		size += min(end, top) * len(t.flows)
	}
	if r.Stop == Exhausted && blocked == len(traces) {
		r.Stop = Blocked
	}
	r.Probes = make([]Probe, 0, size)
	var beyond []surplus
	for i, t := range traces {
		beyond = t.report(r, top, len(traces) == 2 && i == 0, epoch, beyond)
	}
	slices.SortStableFunc(r.Probes, func(a, b Probe) int { return cmp.Compare(a.TTL, b.TTL) })
	r.Limited = limitedTTLs(r.Probes, beyond)
	return r
}

// outcome returns the last TTL to show and why it is the last.
func (t *trace) outcome() (top int, stop Stop) {
	end := t.end()
	if end == 0 {
		return t.ceiling, Exhausted
	}
	reached, all := 0, 0
	for i := range t.flows {
		extent := t.extent(i, end)
		all = max(all, extent)
		if f := &t.flows[i]; f.arrived && int(f.ended) <= extent {
			reached = max(reached, int(f.ended))
		}
	}
	if reached != 0 {
		return reached, Reached
	}
	for i := range t.flows {
		if e := int(t.flows[i].ended); e != 0 && e == all {
			return all, Blocked
		}
	}
	return all, Exhausted
}

// report appends the probes up to top to the result, counts the rest, and
// appends their answers to beyond.
func (t *trace) report(r *Result, top int, encapsulated bool, epoch uint16, beyond []surplus) []surplus {
	own, _ := t.outcome()
	top = min(top, own)
	end := t.end()
	answers := make([]Answer, 0, len(t.answers))
	r.Counts.Duplicates += t.counts.Duplicates
	r.Counts.Late += t.counts.Late
	r.Counts.Forged += t.counts.Forged
	r.Counts.Retried += t.counts.Retried
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		for flow := range t.flows {
			s := t.slot(flow, ttl)
			if s.state != sent {
				continue
			}
			if ttl > top || ttl > t.extent(flow, end) {
				r.Counts.Beyond++
				if s.answer != 0 && t.answers[s.answer-1].kind.IsError() {
					from, at := t.answers[s.answer-1].from, s.sent.user.since(t.started)
					beyond = append(beyond, surplus{from: from, sent: at, encapsulated: encapsulated})
				}
				continue
			}
			if s.answer == 0 && t.answeredAgain(flow, ttl) {
				s = t.again(flow, ttl)
			}
			p := Probe{TTL: uint8(ttl), Flow: uint8(flow), Encapsulated: encapsulated, Sent: s.sent.user.since(t.started)}
			if s.answer != 0 {
				answers = append(answers, t.answers[s.answer-1].public(s.sent, epoch))
				p.Answer = &answers[len(answers)-1]
			}
			r.Probes = append(r.Probes, p)
		}
	}
	return beyond
}

// public is the answer as a Result shows it.
func (a *answer) public(s sending, epoch uint16) Answer {
	rtt, clock := roundTrip(s, a.receipt, epoch)
	return Answer{
		From: a.from, RTT: rtt, Clock: clock, Kind: a.kind, Code: a.code, Arrival: a.arrival,
		TTL: a.ttl, QuotedTTL: a.qttl, QuotedTOS: a.qtos, MTU: a.mtu, Extensions: a.ext,
	}
}
