package prober

import (
	"net/netip"
	"time"
)

// A destination prefix is what one network's owner has at least: the longest
// that are routed on the Internet.
const (
	prefixBits4 = 24
	prefixBits6 = 48
)

// The ceiling of a prefix holds for every second on the wire, whenever a busy
// host gets to sending what it was given. So a probe counts from when it is
// planned, and for a second from when the network has taken it: it left before
// that. The second is counted in steps. One step more is counted since it may
// begin within one, and one more since whoever watches the wire has another
// clock, which is slewed.
const (
	prefixStep  = 25 * time.Millisecond
	prefixSteps = int(time.Second/prefixStep) + 2
)

// maxPrefixes bounds the memory of a prefixGate to some 4 MB.
const maxPrefixes = 1 << 14

// prefixPace counts the probes that went to a prefix lately.
type prefixPace struct {
	users  int // traces under way
	step   int64
	flying int // probes on their way to the network
	total  int // of counts, and flying
	// counts are the probes that the network took, by step: that of step s is
	// at s modulo prefixSteps.
	counts [prefixSteps]uint32
}

// advance forgets what went before the steps that end with now's.
func (p *prefixPace) advance(now instant) {
	step := int64(now) / int64(prefixStep)
	if step-p.step >= int64(prefixSteps) {
		p.counts, p.total, p.step = [prefixSteps]uint32{}, p.flying, step
		return
	}
	for p.step < step {
		p.step++
		place := &p.counts[p.step%int64(prefixSteps)]
		p.total -= int(*place)
		*place = 0
	}
}

// opens returns the earliest time at which the prefix may be probed again when
// it takes limit probes a second; at most now when it may now. What is still on
// its way is taken to leave now.
func (p *prefixPace) opens(limit int, now instant) instant {
	p.advance(now)
	if p.total < limit {
		return now
	}
	left := p.total
	step := p.step - int64(prefixSteps)
	for left >= limit && step < p.step {
		step++
		left -= int(p.counts[(step+int64(prefixSteps))%int64(prefixSteps)])
	}
	return instant((step + int64(prefixSteps)) * int64(prefixStep))
}

// take counts a probe that will be sent.
func (p *prefixPace) take() {
	p.flying++
	p.total++
}

// left counts, from now on, a probe that has been sent by now. A nil pace
// counts nothing.
func (p *prefixPace) left(now instant) {
	if p == nil {
		return
	}
	p.advance(now)
	p.counts[p.step%int64(prefixSteps)]++
	p.flying--
}

// stayed forgets a probe that was never sent.
func (p *prefixPace) stayed() {
	if p != nil {
		p.flying--
		p.total--
	}
}

// prefixGate bounds the probes to each destination prefix, whoever asked for
// them. A trace finds its prefix once, when it starts.
type prefixGate struct {
	limit int // probes in any second; 0: no limit
	paces map[netip.Prefix]*prefixPace
	// rest is shared by all prefixes that find the table full. As long as it
	// counts anything no further ones are admitted to the table: whoever was
	// counted here must not begin anew there.
	rest  prefixPace
	swept int64 // step of the last sweep
	waits uint64
}

func newPrefixGate(rate float64) *prefixGate {
	g := &prefixGate{paces: make(map[netip.Prefix]*prefixPace)}
	g.set(rate)
	return g
}

// set changes the ceiling: whole probes a second, at least one; 0 lifts it.
func (g *prefixGate) set(rate float64) {
	g.limit = 0
	if rate > 0 {
		g.limit = max(1, int(rate))
	}
}

// join returns the pace of the target's prefix, nil when there is no limit. It
// is to be left when the trace has ended.
func (g *prefixGate) join(target netip.Addr, now instant) *prefixPace {
	if g.limit == 0 {
		return nil
	}
	bits := prefixBits6
	if target.Is4() {
		bits = prefixBits4
	}
	prefix, err := target.Prefix(bits)
	if err != nil {
		return nil // no address: such a trace has no probes either
	}
	p := g.paces[prefix]
	if p == nil {
		p = g.admit(prefix, now)
	}
	p.users++
	return p
}

// admit finds a place for a prefix that has none.
func (g *prefixGate) admit(prefix netip.Prefix, now instant) *prefixPace {
	if len(g.paces) >= maxPrefixes {
		g.sweep(now)
	}
	g.rest.advance(now)
	if len(g.paces) >= maxPrefixes || g.rest.users+g.rest.total > 0 {
		return &g.rest
	}
	p := &prefixPace{}
	g.paces[prefix] = p
	return p
}

// sweep forgets the prefixes that have no trace and count nothing: they would
// begin anew no different. Within one step nothing more can be found.
func (g *prefixGate) sweep(now instant) {
	step := int64(now) / int64(prefixStep)
	if step == g.swept {
		return
	}
	g.swept = step
	for prefix, p := range g.paces {
		if p.advance(now); p.users+p.total == 0 {
			delete(g.paces, prefix)
		}
	}
}

// opens returns when the trace may send again, at most now when it may now.
func (g *prefixGate) opens(t *trace, now instant) instant {
	if t.pace == nil || g.limit == 0 {
		return now
	}
	at := t.pace.opens(g.limit, now)
	if at > now {
		g.waits++
		// Not all at once: the same few would always be the first.
		chance := t.turn + uint32(at/instant(prefixStep))*2654435761 // Knuth's multiplicative hash
		at = at.add(time.Duration(uint64(chance) * uint64(prefixStep) >> 32))
	}
	return at
}

// take counts a probe of the trace and returns the pace that has to be told
// what becomes of it, nil when nobody has.
func (g *prefixGate) take(t *trace) *prefixPace {
	if t.pace != nil {
		t.pace.take()
	}
	return t.pace
}

// leave ends what join began.
func (g *prefixGate) leave(t *trace) {
	if t.pace != nil {
		t.pace.users--
		t.pace = nil
	}
}
