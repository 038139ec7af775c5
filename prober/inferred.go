package prober

import (
	"cmp"
	"slices"

	"probe-agent/prober/strategy"
	"probe-agent/traceroute"
)

// A UDP answer, or a GRE packet from the target, names the flow that it
// answers but not the probe: nothing of the probe is in it. Which TTLs it was
// is inferred from all answers of the flow together: whatever is beyond the
// last router and was sent far enough answers, so m answers belong to the m
// highest TTLs probed, and come back in the order in which these were sent;
// but each only to a probe that was sent before it and whose wait had not ended
// when it arrived. Later answers, and later routers, correct the earlier
// inference.

// onUnplaced takes an answer into account that names only its flow.
func (t *trace) onUnplaced(flow int, a *answer) verdict {
	f := &t.flows[flow]
	ttls := t.candidates(flow)
	if len(ttls) <= f.inferred {
		t.counts.Duplicates++
		return duplicate
	}
	if !slices.ContainsFunc(ttls, func(ttl int) bool { return t.waited(t.slot(flow, ttl), &a.receipt) <= t.spec.Wait }) {
		t.counts.Late++
		return late
	}
	before := f.inferred
	a.inferred, a.flow = true, uint16(flow)
	t.answers = append(t.answers, *a)
	f.inferred++
	t.placeInferred(flow)
	if last := len(t.answers) - 1; !t.answers[last].inferred {
		t.answers = t.answers[:last] // no probe was left for it: a flood of them must take no memory
		return duplicate
	}
	if f.inferred <= before {
		return duplicate // in the place of another
	}
	if before == 0 {
		t.changes.responder(t.lease.Target, traceroute.Responder{Addr: a.from})
	}
	if t.companion != nil && f.end != 0 {
		t.companion.strategy.Limit(int(f.end))
	}
	return matched
}

// candidates returns the TTLs of the flow that an answer without a name may
// belong to, in ascending order.
func (t *trace) candidates(flow int) []int {
	var ttls []int
	for ttl := int(t.flows[flow].highest) + 1; ttl <= t.sentTop; ttl++ {
		s := t.slot(flow, ttl)
		if s.state == sent && (s.answer == 0 || t.answers[s.answer-1].inferred) {
			ttls = append(ttls, ttl)
		}
	}
	return ttls
}

// placeInferred assigns the flow's nameless answers anew. Those that no probe
// is left for are duplicates.
func (t *trace) placeInferred(flow int) {
	f := &t.flows[flow]
	ttls := t.candidates(flow)
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		if s := t.slot(flow, ttl); s.answer != 0 && t.answers[s.answer-1].inferred {
			s.answer = 0
		}
	}
	var nameless []int // places in answers, in order of arrival
	for i := range t.answers {
		if a := &t.answers[i]; a.inferred && int(a.flow) == flow {
			nameless = append(nameless, i)
		}
	}
	var slots []*slot // in order of sending; chosen from the highest TTL down
	var places []int  // of their answers
	for i := len(ttls) - 1; i >= 0 && len(slots) < len(nameless); i-- {
		s := t.slot(flow, ttls[i])
		at, _ := slices.BinarySearchFunc(slots, s, func(a, b *slot) int { return cmp.Compare(a.user, b.user) })
		with := slices.Insert(slices.Clone(slots), at, s)
		if found := t.inTime(with, nameless); found != nil {
			slots, places = with, found
		}
	}
	for i, s := range slots {
		s.answer = int32(places[i] + 1)
	}
	for _, i := range nameless {
		t.answers[i].inferred = slices.Contains(places, i)
	}
	t.counts.Duplicates += len(nameless) - len(places)
	f.inferred = len(places)
	t.changes.all()
	t.reassess(flow)
}

// inTime returns an answer for each of the slots, both in order, that was sent
// before it and was still waiting for it; nil when there are not enough.
func (t *trace) inTime(slots []*slot, nameless []int) []int {
	places := make([]int, 0, len(slots))
	for _, i := range nameless {
		if len(places) == len(slots) {
			break
		}
		s, r := slots[len(places)], &t.answers[i].receipt
		if r.user.mono >= s.user && t.waited(s, r) <= t.spec.Wait {
			places = append(places, i)
		}
	}
	if len(places) < len(slots) {
		return nil
	}
	return places
}

// reassess finds anew which probes of the flow are answered and where its path
// ends.
func (t *trace) reassess(flow int) {
	var a strategy.Assessment
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		s := t.slot(flow, ttl)
		if s.answer == 0 {
			continue
		}
		a.Answered |= 1 << (ttl - 1)
		if answer := &t.answers[s.answer-1]; answer.ends && a.End == 0 {
			a.End, a.Arrival = ttl, answer.arrival
		}
	}
	t.flows[flow].end = uint8(a.End)
	t.strategy.Reassess(flow, a)
}
