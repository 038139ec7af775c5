package strategy

import (
	"time"

	"probe-agent/prober/mono"
)

// Config is what a Paris strategy follows.
type Config struct {
	MaxTTL int           // 1 to MaxTTL
	Flows  int           // probes of each TTL, each on a flow of its own
	Wait   time.Duration // for the answer to one probe
	// Repeat: TTLs that stay silent are probed again by flows whose probes look
	// like retransmissions.
	Repeat bool
}

// paris is Paris traceroute's: a few flows, each followed to its end. It opens a
// path up by ADR 2.
type paris struct {
	Config
	started   mono.Instant
	limit     int     // highest TTL wanted
	end       int     // lowest TTL whose answer ended a flow's path, 0 while none did
	top       int     // highest TTL probed so far
	lowest    int     // no TTL below it has probes yet to be sent
	flows     []flow  // first those of Config, then those that repeat them
	probes    []probe // by flow, then TTL
	highest   highest
	slowest   time.Duration // RTT of the slowest answer
	repeating repeating

	sent      [MaxTTL + 1]uint16       // probes sent, by TTL
	firstSent [MaxTTL + 1]mono.Instant // of the TTLs with sent above 0
	pending   [MaxTTL + 1]uint16       // no flow below it has yet to probe the TTL
}

// probe is the state of one probe: when it left, and in the lowest two bits
// what has become of it. There is one for each flow and TTL, so it is small.
type probe int64

const (
	unsent probe = iota
	unanswered
	answered

	stateBits = 2
	stateMask = 1<<stateBits - 1
)

func (b probe) state() probe { return b & stateMask }

func (b probe) sent() mono.Instant { return mono.Instant(b >> stateBits) }

// with returns the probe with another state.
func (b probe) with(state probe) probe { return b&^stateMask | state }

// flow is what is known of one flow.
type flow struct {
	end     uint8 // TTL whose answer ended the path; 0 while unknown
	arrived bool  // the target's answer did
	highest uint8 // TTL answered from on the way
}

// NewParis returns the strategy of a Paris traceroute.
func NewParis(c Config) Strategy {
	return &paris{
		Config: c,
		limit:  c.MaxTTL,
		lowest: 1,
		flows:  make([]flow, c.Flows),
		probes: make([]probe, c.Flows*c.MaxTTL),
	}
}

// Flows implements Strategy.
func (p *paris) Flows() int { return p.Config.Flows }

// Start implements Strategy.
func (p *paris) Start(now mono.Instant) { p.started = now }

func (p *paris) probe(flow, ttl int) *probe { return &p.probes[flow*p.MaxTTL+ttl-1] }

// Sent implements Strategy.
func (p *paris) Sent(flow, ttl int, at mono.Instant) {
	b := p.probe(flow, ttl)
	state := b.state()
	*b = probe(at)<<stateBits | max(state, unanswered)
	if state != unsent {
		return
	}
	if flow >= p.Config.Flows {
		return
	}
	if p.sent[ttl] == 0 {
		p.firstSent[ttl] = at
	}
	p.sent[ttl]++
	p.top = max(p.top, ttl)
	if int(p.pending[ttl]) == flow {
		p.pending[ttl]++
	}
	for p.lowest < p.MaxTTL && int(p.sent[p.lowest]) == p.Config.Flows {
		p.lowest++
	}
}

// Withdrawn implements Strategy.
func (p *paris) Withdrawn(flow, ttl int) {
	*p.probe(flow, ttl) = unsent
	if flow >= p.Config.Flows {
		return
	}
	p.sent[ttl]--
	p.pending[ttl] = min(p.pending[ttl], uint16(flow))
	p.lowest = min(p.lowest, ttl)
}

// Answered implements Strategy.
func (p *paris) Answered(a Answer) (end int, changed bool) {
	b := p.probe(a.Flow, a.TTL)
	*b = b.with(answered)
	if own := a.Flow - p.Config.Flows; own >= 0 {
		p.repeating.answered = true
		p.flows[own].highest = max(p.flows[own].highest, uint8(a.TTL))
		p.highest.advance(a.TTL, b.sent(), a.RTT, a.At)
		return int(p.flows[own].end), false
	}
	f := &p.flows[a.Flow]
	p.slowest = max(p.slowest, a.RTT)
	switch {
	case !a.Ends:
		f.highest = max(f.highest, uint8(a.TTL))
	case f.end == 0 || a.TTL < int(f.end) || a.TTL == int(f.end) && a.Arrival:
		f.end, f.arrived, changed = uint8(a.TTL), a.Arrival, true
		p.findEnd()
	}
	if !a.Arrival {
		p.highest.advance(a.TTL, b.sent(), a.RTT, a.At)
	}
	return int(f.end), changed
}

// Reassess implements Strategy.
func (p *paris) Reassess(flow int, a Assessment) {
	f := &p.flows[flow]
	f.end, f.arrived = uint8(a.End), a.Arrival
	p.findEnd()
	for ttl := 1; ttl <= p.top; ttl++ {
		if b := p.probe(flow, ttl); b.state() != unsent {
			*b = b.with(unanswered + probe(a.Answered>>(ttl-1)&1))
		}
	}
}

// Limit implements Strategy.
func (p *paris) Limit(ttl int) { p.limit = min(p.limit, ttl) }

// Wants implements Strategy.
func (p *paris) Wants(flow, ttl int) bool {
	return ttl <= p.extent(flow%p.Config.Flows)
}

// findEnd finds the lowest TTL whose answer ended a flow's path.
func (p *paris) findEnd() {
	p.end = 0
	for i := range p.Config.Flows {
		if e := int(p.flows[i].end); e != 0 && (p.end == 0 || e < p.end) {
			p.end = e
		}
	}
}

// beyondEnd is how many TTLs a flow is followed past the last router that
// answered, when others have ended before it.
const beyondEnd = 2

// extent returns the highest TTL that is of interest in a flow, given p.end.
// Flows may differ in length, where branches of unequal length are balanced;
// but a flow that merely lost an answer must not look longer than the rest.
func (p *paris) extent(flow int) int {
	f, end := &p.flows[flow], p.end
	extent := p.limit
	switch {
	case end == 0:
	case int(f.highest) < end:
		extent = end
	case f.end != 0:
		extent = int(f.end)
	default:
		extent = int(f.highest) + beyondEnd
	}
	return min(extent, p.limit)
}

// End implements Strategy.
func (p *paris) End() End {
	if p.end == 0 {
		return End{TTL: p.limit}
	}
	reached, all := 0, 0
	for i := range p.Config.Flows {
		extent := p.extent(i)
		all = max(all, extent)
		if f := &p.flows[i]; f.arrived && int(f.end) <= extent {
			reached = max(reached, int(f.end))
		}
	}
	if reached != 0 {
		return End{TTL: reached, Reached: true}
	}
	for i := range p.Config.Flows {
		if e := int(p.flows[i].end); e != 0 && e == all {
			return End{TTL: all, Blocked: true}
		}
	}
	return End{TTL: all}
}

// drained returns when nothing more can come: nothing is left to send and
// every probe of interest is answered, or will have had its wait.
func (p *paris) drained() mono.Instant {
	var at mono.Instant
	for flow := range p.Config.Flows {
		for ttl := p.extent(flow); ttl >= 1; ttl-- {
			b := p.probe(flow, ttl)
			if again := p.repeated(flow, ttl); again != nil && again.state() != unsent && b.state() != answered && p.repeating.answered {
				b = again
			}
			if b.state() == unanswered {
				at = max(at, b.sent().Add(p.Wait))
			}
		}
	}
	return at
}
