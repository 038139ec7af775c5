package prober

import (
	"fmt"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// A firewall may drop what is said of a flow's later SYNs: pf passes an ICMP
// error only when the sequence number that it quotes is within the state of
// the connection, and the numbers of a flow rise. So the TTLs of a TCP trace
// that stay silent are probed again by SYNs that are all equal, as
// retransmissions are, each flow's on an endpoint of its own. Only routers'
// answers to these count: a target acknowledges them all alike.
type retry struct {
	flows    []flow // one for each of the trace's; none when there was no endpoint for them
	slots    []slot // by flow, then TTL
	answered bool   // any of them was: then all flows are probed again
}

// The retry of a TTL waits for its first probes to be overdue: half as long
// again as the slowest answer took, and retryGrace, which many routers take to
// make an error when they have other things to do. Where the distance is
// unknown, no more than retryAhead TTLs behind the farthest router are probed.
const (
	retryGrace = 100 * time.Millisecond
	retryAhead = 3
)

// flowAt returns the flow of an index; those behind the trace's own are the
// ones of its retry.
func (t *trace) flowAt(flow int) *flow {
	if own := len(t.flows); flow >= own {
		return &t.retry.flows[flow-own]
	}
	return &t.flows[flow]
}

// slotAt is slot, for the flows that flowAt knows.
func (t *trace) slotAt(flow, ttl int) *slot {
	if own := len(t.flows); flow >= own {
		return &t.retry.slots[t.index(flow-own, ttl)]
	}
	return t.slot(flow, ttl)
}

// again returns the retry's slot of a probe, nil when there is none.
func (t *trace) again(flow, ttl int) *slot {
	if t.retry == nil || t.retry.flows == nil {
		return nil
	}
	return t.slotAt(len(t.flows)+flow, ttl)
}

// answeredAgain reports whether the retry of a probe was answered.
func (t *trace) answeredAgain(flow, ttl int) bool {
	s := t.again(flow, ttl)
	return s != nil && s.answer != 0
}

// nextRetry plans the retry: which probe to send now, when to ask again, or none
// (a wake of mono.Forever). The trace itself has nothing left to send, and ends at
// the given time. An action of retryNow asks for the retry's flows.
func (t *trace) nextRetry(now, heard, until mono.Instant, end int, hops hopLimiter) step {
	s := step{action: wait, wake: mono.Forever}
	if t.typ != packet.TCP || t.slowest == 0 || t.retry != nil && t.retry.flows == nil {
		return s
	}
	last := min(t.ceiling, t.frontier.ttl+retryAhead)
	if end != 0 {
		last = end - 1
	}
	flows := 1
	if t.retry != nil && t.retry.answered {
		flows = len(t.flows)
	}
	for ttl := 1; ttl <= last; ttl++ {
		due, silent := t.overdue(ttl)
		if !silent || due.Add(t.slowest) > until {
			continue // answered, or there is no time left for an answer
		}
		for flow := range flows {
			if again := t.again(flow, ttl); again != nil && again.state == sent {
				continue
			}
			at := max(due, hops.ReadyAt(ttl, t.flows[flow].egress))
			switch {
			case at > now:
				s.wake = min(s.wake, at)
			case due > heard:
				return step{action: listen, wake: due}
			case t.retry == nil:
				return step{action: retryNow}
			default:
				return step{action: send, flow: len(t.flows) + flow, ttl: ttl}
			}
		}
	}
	return s
}

// overdue returns when a TTL that no answer has come from is to be probed
// again; silent is false when one has, or some flow has not probed it yet.
func (t *trace) overdue(ttl int) (at mono.Instant, silent bool) {
	for flow := range t.flows {
		s := t.slot(flow, ttl)
		if s.state != sent || s.answer != 0 {
			return 0, false
		}
		at = max(at, s.sent.user)
	}
	return at.Add(t.slowest + t.slowest/2 + retryGrace), true
}

// startRetry gives the trace the flows of its retry, or notes that there are
// none to be had.
func (t *trace) startRetry(id *identity, now mono.Instant) {
	r := &retry{}
	t.retry = r
	flows := make([]flow, len(t.flows))
	if !id.acquireRetry(t, flows, now) {
		return
	}
	r.flows, r.slots = flows, make([]slot, len(t.slots))
	for i := range flows {
		f := &flows[i]
		f.egress = t.flows[i].egress
		f.order = make([]uint8, 0, t.spec.MaxTTL)
		var err error
		if f.template, err = t.flows[i].template.For(t.wireFlow(f)); err != nil {
			t.err = fmt.Errorf("prober: probe for %v: %w", t.target, err)
			return
		}
	}
}

// reserveRetry is reserve for a flow of the retry.
func (t *trace) reserveRetry(flow, ttl int, now mono.Instant, epoch uint16) packet.Mark {
	f := t.flowAt(flow)
	*t.slotAt(flow, ttl) = slot{sent: sending{user: now, epoch: epoch}, state: sent}
	t.counts.Retried++
	timestamp := f.firstTimestamp + t.nextSYN(flow, uint8(ttl))*synStep
	return packet.Mark{TTL: uint8(ttl), IPID: f.ipid(uint8(ttl)), Sequence: f.firstSequence, Tag: uint64(timestamp)}
}

// onRetry takes an answer to a probe of the retry into account.
func (t *trace) onRetry(flow, ttl int, a answer) fate {
	own := flow - len(t.flows)
	if a.kind != traceroute.TimeExceeded || ttl == 0 {
		t.counts.Duplicates++
		return duplicate
	}
	s := t.slotAt(flow, ttl)
	switch {
	case s.state != sent:
		t.counts.Forged++
		return forged
	case s.answer != 0 || t.slot(own, ttl).answer != 0:
		t.counts.Duplicates++
		return duplicate
	case t.waited(s, a.receipt) > t.spec.Wait:
		t.counts.Late++
		return late
	}
	t.reportResponder(ttl, a.from)
	t.answers = append(t.answers, a)
	s.answer = int32(len(t.answers))
	t.retry.answered = true
	t.changes.at(ttl)
	t.flows[own].heard = max(t.flows[own].heard, uint8(ttl))
	t.frontier.advance(ttl, s.sent.user, t.waited(s, a.receipt), a.receipt.user.mono)
	return matched
}
