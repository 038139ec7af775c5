package strategy

import "probe-agent/prober/mono"

// Next implements Strategy.
func (p *paris) Next(now, received mono.Instant, limits Limits) Step {
	w := p.window(now, received)
	n := look{wake: mono.Forever}
	// In order of TTL, as traceroute(8): what is nearest is known to exist, and
	// where the target or a router limits its answers, those to the probes
	// past it come last.
	for ttl := p.lowest; ttl <= p.limit; ttl++ {
		if int(p.sent[ttl]) == p.Config.Flows {
			continue
		}
		if flow, at := p.due(&n, &w, ttl, now, limits); at <= now {
			return Step{Action: Send, Flow: uint16(flow), TTL: uint8(ttl)}
		}
	}
	if n.pending {
		n.wake = min(n.wake, w.wake)
	}
	switch {
	case n.wake <= now:
		return Step{Action: Listen, Wake: n.wake}
	case n.pending || n.wake != mono.Forever:
		return Step{Action: Wait, Wake: n.wake}
	}
	switch at := p.drained(); {
	case at <= received:
		return Step{Action: Finish}
	case at <= now:
		return Step{Action: Listen, Wake: at}
	default:
		s := p.nextRepeat(now, received, at, limits)
		if s.Action == Wait {
			s.Wake = min(s.Wake, at)
		}
		return s
	}
}

// look gathers, while the TTLs are looked through, when to look again.
type look struct {
	wake    mono.Instant
	pending bool // something is left to send that an answer or time can release
}

// due returns the flow of the next probe to a TTL, which not all have probed,
// and when it may go: mono.Forever when there is none, or the window does not
// allow it.
func (p *paris) due(n *look, w *window, ttl int, now mono.Instant, limits Limits) (flow int, at mono.Instant) {
	if flow = p.pendingFlow(ttl); flow < 0 {
		return 0, mono.Forever
	}
	if !w.allows(ttl, int(p.sent[ttl]), p.Config.Flows) {
		n.pending = true
		return 0, mono.Forever
	}
	at = limits.ReadyAt(flow, ttl)
	if at > now {
		at = limits.RetryAt(flow, ttl, at)
		n.wake = min(n.wake, at)
	}
	return flow, at
}

// pendingFlow returns the first flow that has yet to probe the TTL, or -1.
func (p *paris) pendingFlow(ttl int) int {
	for flow := int(p.pending[ttl]); flow < p.Config.Flows; flow++ {
		if p.probe(flow, ttl).state() == unsent && ttl <= p.extent(flow) {
			return flow
		}
	}
	return -1
}
