package strategy

import (
	"time"

	"probe-agent/prober/mono"
)

// A firewall may drop what is said of a flow's later SYNs: pf passes an ICMP
// error only when the sequence number that it quotes is within the state of
// the connection, and the numbers of a flow rise. So the TTLs of a TCP trace
// that stay silent are probed again by SYNs that are all equal, as
// retransmissions are, each flow's on an endpoint of its own. Only routers'
// answers to these count: a target acknowledges them all alike.
type repeating struct {
	asked    bool // for the flows
	granted  bool // they are the second half of paris.flows
	answered bool // any of their probes was: then all flows are probed again
}

// The repetition of a TTL waits for its first probes to be overdue: half as long
// again as the slowest answer took, and repeatGrace, which many routers take to
// make an error when they have other things to do. Where the distance is
// unknown, no more than repeatAhead TTLs behind the farthest router are probed.
const (
	repeatGrace = 100 * time.Millisecond
	repeatAhead = 3
)

// repeated returns the probe that repeats another, nil when there is none.
func (p *paris) repeated(flow, ttl int) *probe {
	if !p.repeating.granted {
		return nil
	}
	return p.probe(p.Config.Flows+flow, ttl)
}

// nextRepeat plans the repetition: which probe to send now, when to ask again,
// or none (a Wake of mono.Forever). The trace itself has nothing left to send,
// and ends at the given time.
func (p *paris) nextRepeat(now, received, until mono.Instant, limits Limits) Step {
	s := Step{Action: Wait, Wake: mono.Forever}
	if !p.Repeat || p.slowest == 0 || p.repeating.asked && !p.repeating.granted {
		return s
	}
	last := min(p.limit, p.highest.ttl+repeatAhead)
	if p.end != 0 {
		last = p.end - 1
	}
	flows := 1
	if p.repeating.answered {
		flows = p.Config.Flows
	}
	for ttl := 1; ttl <= last; ttl++ {
		due, silent := p.overdue(ttl)
		if !silent || due.Add(p.slowest) > until {
			continue // answered, or there is no time left for an answer
		}
		for flow := range flows {
			if again := p.repeated(flow, ttl); again != nil && again.state() != unsent {
				continue
			}
			at := max(due, limits.ReadyAt(flow, ttl))
			switch {
			case at > now:
				s.Wake = min(s.Wake, at)
			case due > received:
				return Step{Action: Listen, Wake: due}
			case !p.repeating.asked:
				return Step{Action: Allocate, Flows: uint16(p.Config.Flows), Repeats: true}
			default:
				return Step{Action: Send, Flow: uint16(p.Config.Flows + flow), TTL: uint8(ttl)}
			}
		}
	}
	return s
}

// overdue returns when a TTL that no answer has come from is to be probed
// again; silent is false when one has, or some flow has not probed it yet.
func (p *paris) overdue(ttl int) (at mono.Instant, silent bool) {
	for flow := range p.Config.Flows {
		b := p.probe(flow, ttl)
		if b.state() != unanswered {
			return 0, false
		}
		at = max(at, b.sent())
	}
	return at.Add(p.slowest + p.slowest/2 + repeatGrace), true
}

// Allocating implements Strategy.
func (p *paris) Allocating() { p.repeating.asked = true }

// Allocated implements Strategy.
func (p *paris) Allocated(flows int) {
	if flows == 0 {
		return
	}
	p.repeating.granted = true
	p.flows = append(p.flows, make([]flow, flows)...)
	p.probes = append(p.probes, make([]probe, flows*p.MaxTTL)...)
}
