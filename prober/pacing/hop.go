package pacing

import (
	"net/netip"
	"time"

	"probe-agent/prober/mono"
)

// Egress is how packets leave the host.
type Egress struct {
	Source    netip.Addr
	Interface int // index of the interface that they must leave through; 0: the routing table decides
}

// nearHops is the number of TTLs that are limited: those of routers that many
// or all traces of the host pass, and whose ICMP rate limits they share.
const nearHops = 3

// hopBurst is what a stock Linux router answers before its limit of one per
// second and peer applies (net.ipv4.icmp_ratelimit, six tokens).
const hopBurst = 6

// maxEgresses bounds the memory of a HopLimiter on a host whose addresses
// change.
const maxEgresses = 256

// HopLimiter paces the probes that expire at the nearest hops, by TTL and
// egress. Where an Egress leaves the interface to the routing table, its
// source address stands for it. Not safe for concurrent use.
type HopLimiter struct {
	rate     float64
	active   int
	egresses map[Egress]*[nearHops]Pacer
	waits    uint64
}

// NewHopLimiter returns a limiter of rate probes per second to each of the
// first three TTLs; 0 is no limit.
func NewHopLimiter(rate float64) *HopLimiter {
	return &HopLimiter{rate: rate, egresses: make(map[Egress]*[nearHops]Pacer)}
}

// SetRate changes the rate from the next probe on; 0 lifts the limit.
func (l *HopLimiter) SetRate(rate float64) {
	l.rate = rate
	for _, pacers := range l.egresses {
		for i := range pacers {
			pacers[i].SetRate(rate, hopBurst)
		}
	}
}

// SetActive says how many traces are active, of which many may wait at once.
func (l *HopLimiter) SetActive(traces int) { l.active = traces }

// Waits counts the calls of RetryAt: how often a probe had to wait.
func (l *HopLimiter) Waits() uint64 { return l.waits }

func (l *HopLimiter) at(ttl int, from Egress) *Pacer {
	pacers := l.egresses[from]
	if pacers == nil {
		if len(l.egresses) >= maxEgresses {
			clear(l.egresses)
		}
		pacers = new([nearHops]Pacer)
		for i := range pacers {
			pacers[i] = NewPacer(l.rate, hopBurst)
		}
		l.egresses[from] = pacers
	}
	return &pacers[ttl-1]
}

// ReadyAt returns the earliest time at which a probe may be sent to a TTL;
// in the past when it may be sent at once.
func (l *HopLimiter) ReadyAt(ttl int, from Egress) mono.Instant {
	if ttl > nearHops || l.rate <= 0 {
		return 0
	}
	return l.at(ttl, from).ReadyAt()
}

// RetryAt returns when a trace that found the limiter closed until ready should
// ask again: a random time, chosen by the caller's random bits, within which
// about half of the active traces are let through. If all that wait woke
// whenever one may send, they would do little else.
func (l *HopLimiter) RetryAt(ttl int, from Egress, ready mono.Instant, random uint32) mono.Instant {
	l.waits++
	slots := uint64(l.active/2 + 1)
	return ready.Add(l.at(ttl, from).interval * time.Duration(uint64(random>>8)%slots))
}

// Take counts a probe that is sent to a TTL at now.
func (l *HopLimiter) Take(ttl int, from Egress, now mono.Instant) {
	if ttl <= nearHops && l.rate > 0 {
		l.at(ttl, from).Take(now)
	}
}
