package prober

import "slices"

// A UDP answer, or a GRE packet from the target, names the flow that it
// answers but not the probe: nothing of the probe is in it. Which TTLs it was
// is inferred from all answers of the flow together: whatever is beyond the
// last router and was sent far enough answers, so m answers belong to the m
// highest TTLs probed, and come back in the order in which these were sent.
// Later answers, and later routers, correct the earlier inference.

// onUnplaced takes an answer into account that names only its flow.
func (t *trace) onUnplaced(flow int, a answer) fate {
	f := &t.flows[flow]
	if len(t.candidates(flow)) <= f.inferred {
		t.counts.Duplicates++
		return duplicate
	}
	if f.inferred == 0 {
		t.responders.add(a.from, 0)
	}
	a.inferred, a.flow = true, uint8(flow)
	t.answers = append(t.answers, a)
	f.inferred++
	t.placeInferred(flow)
	t.changed = true
	if t.twin != nil && f.ended != 0 {
		t.twin.ceiling = min(t.twin.ceiling, int(f.ended))
	}
	return matched
}

// candidates returns the TTLs of the flow that an answer without a name may
// belong to, in the order of their sending.
func (t *trace) candidates(flow int) []int {
	var ttls []int
	for ttl := int(t.flows[flow].heard) + 1; ttl <= t.sentTop; ttl++ {
		s := t.slot(flow, ttl)
		if s.state == sent && (s.answer == 0 || t.answers[s.answer-1].inferred) {
			ttls = append(ttls, ttl)
		}
	}
	return ttls
}

// placeInferred assigns the flow's nameless answers anew.
func (t *trace) placeInferred(flow int) {
	f := &t.flows[flow]
	ttls := t.candidates(flow)
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		if s := t.slot(flow, ttl); s.answer != 0 && t.answers[s.answer-1].inferred {
			s.answer = 0
		}
	}
	if surplus := f.inferred - len(ttls); surplus > 0 {
		f.inferred -= surplus
		t.counts.Duplicates += surplus
	}
	ttls = ttls[len(ttls)-f.inferred:]
	slices.SortFunc(ttls, func(a, b int) int {
		return int(t.slot(flow, a).sent.user - t.slot(flow, b).sent.user)
	})
	for i := range t.answers {
		if len(ttls) == 0 {
			break
		}
		if a := &t.answers[i]; a.inferred && int(a.flow) == flow {
			t.slot(flow, ttls[0]).answer = int32(i + 1)
			ttls = ttls[1:]
		}
	}
	t.reconsiderEnd(flow)
}

// reconsiderEnd finds anew where the flow's path ends.
func (t *trace) reconsiderEnd(flow int) {
	f := &t.flows[flow]
	f.ended, f.arrived = 0, false
	for ttl := 1; ttl <= t.sentTop; ttl++ {
		s := t.slot(flow, ttl)
		if s.answer == 0 {
			continue
		}
		if a := &t.answers[s.answer-1]; a.ends {
			f.ended, f.arrived = uint8(ttl), a.arrival
			return
		}
	}
}
