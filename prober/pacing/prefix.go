package pacing

import (
	"net/netip"
	"time"

	"probe-agent/prober/mono"
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

// maxPrefixes bounds the memory of a PrefixLimiter to some 4 MB.
const maxPrefixes = 1 << 14

// PrefixCount counts the probes that were sent to a prefix within about the
// last second. A nil *PrefixCount counts nothing: there is no limit.
type PrefixCount struct {
	users   int // traces under way
	step    int64
	pending int // probes on their way to the network
	total   int // of counts, and pending
	// counts are the probes that the network took, by step: that of step s is
	// at s modulo prefixSteps.
	counts [prefixSteps]uint32
}

// advance forgets what went before the steps that end with now's.
func (p *PrefixCount) advance(now mono.Instant) {
	step := int64(now) / int64(prefixStep)
	if step-p.step >= int64(prefixSteps) {
		p.counts, p.total, p.step = [prefixSteps]uint32{}, p.pending, step
		return
	}
	for p.step < step {
		p.step++
		place := &p.counts[p.step%int64(prefixSteps)]
		p.total -= int(*place)
		*place = 0
	}
}

// readyAt returns the earliest time at which the prefix may be probed again when
// it takes limit probes a second; at most now when it may now. What is still on
// its way is taken to leave now.
func (p *PrefixCount) readyAt(limit int, now mono.Instant) mono.Instant {
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
	return mono.Instant((step + int64(prefixSteps)) * int64(prefixStep))
}

// Take counts a probe that will be sent. Sent or Cancel has to follow.
func (p *PrefixCount) Take() {
	if p != nil {
		p.pending++
		p.total++
	}
}

// Sent counts, from now on, a probe that has been sent by now.
func (p *PrefixCount) Sent(now mono.Instant) {
	if p == nil {
		return
	}
	p.advance(now)
	p.counts[p.step%int64(prefixSteps)]++
	p.pending--
}

// Cancel forgets a probe that was never sent.
func (p *PrefixCount) Cancel() {
	if p != nil {
		p.pending--
		p.total--
	}
}

// PrefixLimiter bounds the probes to each destination prefix, whoever asked for
// them. A trace finds its prefix once, when it starts.
type PrefixLimiter struct {
	limit    int // probes in any second; 0: no limit
	prefixes map[netip.Prefix]*PrefixCount
	// overflow is shared by all prefixes that find the table full. As long as it
	// counts anything no further ones are admitted to the table: whoever was
	// counted here must not begin anew there.
	overflow PrefixCount
	swept    int64 // step of the last sweep
	waits    uint64
}

// NewPrefixLimiter returns a limiter with the ceiling that SetRate sets.
func NewPrefixLimiter(rate float64) *PrefixLimiter {
	l := &PrefixLimiter{prefixes: make(map[netip.Prefix]*PrefixCount)}
	l.SetRate(rate)
	return l
}

// SetRate changes the ceiling: whole probes a second, at least one; 0 lifts it.
func (l *PrefixLimiter) SetRate(rate float64) {
	l.limit = 0
	if rate > 0 {
		l.limit = max(1, int(rate))
	}
}

// Join returns the count of the target's prefix for a new trace, nil when there
// is no limit. Leave has to follow when the trace has ended.
func (l *PrefixLimiter) Join(target netip.Addr, now mono.Instant) *PrefixCount {
	if l.limit == 0 {
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
	p := l.prefixes[prefix]
	if p == nil {
		p = l.admit(prefix, now)
	}
	p.users++
	return p
}

// admit finds a place for a prefix that has none.
func (l *PrefixLimiter) admit(prefix netip.Prefix, now mono.Instant) *PrefixCount {
	if len(l.prefixes) >= maxPrefixes {
		l.sweep(now)
	}
	l.overflow.advance(now)
	if len(l.prefixes) >= maxPrefixes || l.overflow.users+l.overflow.total > 0 {
		return &l.overflow
	}
	p := &PrefixCount{}
	l.prefixes[prefix] = p
	return p
}

// sweep forgets the prefixes that have no trace and count nothing: they would
// begin anew no different. Within one step nothing more can be found.
func (l *PrefixLimiter) sweep(now mono.Instant) {
	step := int64(now) / int64(prefixStep)
	if step == l.swept {
		return
	}
	l.swept = step
	for prefix, p := range l.prefixes {
		if p.advance(now); p.users+p.total == 0 {
			delete(l.prefixes, prefix)
		}
	}
}

// ReadyAt returns when a trace to the prefix may send again, at most now when it
// may now. The caller's random bits spread the traces that wait within a step:
// otherwise the same few would always be the first.
func (l *PrefixLimiter) ReadyAt(p *PrefixCount, now mono.Instant, random uint32) mono.Instant {
	if p == nil || l.limit == 0 {
		return now
	}
	at := p.readyAt(l.limit, now)
	if at > now {
		l.waits++
		random += uint32(at/mono.Instant(prefixStep)) * 2654435761 // Knuth's multiplicative hash
		at = at.Add(time.Duration(uint64(random) * uint64(prefixStep) >> 32))
	}
	return at
}

// Waits counts how often a probe had to wait.
func (l *PrefixLimiter) Waits() uint64 { return l.waits }

// Leave ends what Join began. Probes that have not left yet still count.
func (l *PrefixLimiter) Leave(p *PrefixCount) {
	if p != nil {
		p.users--
	}
}
