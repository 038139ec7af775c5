package prober

import "time"

// pacer lets events through at a steady rate, in bursts of at most some
// milliseconds' worth: sleeping any shorter is beyond the runtime's timers.
// It is the virtual scheduling form of a token bucket (ITU-T I.371, GCRA).
// The zero value lets everything through.
type pacer struct {
	interval  time.Duration // between two events; 0: no limit
	tolerance time.Duration
	due       instant // when the next event would be, at the exact rate
}

// pacerBurst is how much of the rate may go at once: what a sender catches up
// with that was kept from running on a busy host. Go's scheduler lets it wait
// for 10 ms behind goroutines that never yield.
const pacerBurst = 12 * time.Millisecond

// newPacer returns a pacer for a rate per second; 0 lifts the limit. At least
// burst events may go at once after a pause.
func newPacer(rate float64, burst int) pacer {
	if rate <= 0 {
		return pacer{}
	}
	interval := time.Duration(float64(time.Second) / rate)
	return pacer{interval: interval, tolerance: max(pacerBurst, interval*time.Duration(burst-1))}
}

// setRate changes the rate from the next event on.
func (p *pacer) setRate(rate float64, burst int) {
	due := p.due
	*p = newPacer(rate, burst)
	if p.interval != 0 {
		p.due = due
	}
}

// opens returns the earliest time at which the next event may happen; in the
// past when it may now.
func (p *pacer) opens() instant {
	if p.interval == 0 {
		return 0
	}
	return p.due.add(-p.tolerance)
}

// take counts an event at now, which must not be before opens.
func (p *pacer) take(now instant) {
	if p.interval != 0 {
		p.due = max(p.due, now).add(p.interval)
	}
}

// nearHops is how many TTLs are taken to be near: routers that many or all
// traces of the host pass, and whose ICMP limits they share.
const nearHops = 3

// nearGate paces the probes that end at the nearest hops, by TTL and egress.
// Where a flow's egress leaves the interface to the routing table, its source
// address stands for it.
type nearGate struct {
	rate     float64
	crowd    int // traces under way, of which many may wait at once
	egresses map[egress]*[nearHops]pacer
	waits    uint64
}

// nearBurst is what a stock Linux router answers before its limit of one per
// second and peer sets in (net.ipv4.icmp_ratelimit, six tokens).
const nearBurst = 6

// maxEgresses bounds the gate's memory on a host whose addresses change.
const maxEgresses = 256

func newNearGate(rate float64) *nearGate {
	return &nearGate{rate: rate, egresses: make(map[egress]*[nearHops]pacer)}
}

func (g *nearGate) setRate(rate float64) {
	g.rate = rate
	for _, pacers := range g.egresses {
		for i := range pacers {
			pacers[i].setRate(rate, nearBurst)
		}
	}
}

func (g *nearGate) at(ttl int, from egress) *pacer {
	pacers := g.egresses[from]
	if pacers == nil {
		if len(g.egresses) >= maxEgresses {
			clear(g.egresses)
		}
		pacers = new([nearHops]pacer)
		for i := range pacers {
			pacers[i] = newPacer(g.rate, nearBurst)
		}
		g.egresses[from] = pacers
	}
	return &pacers[ttl-1]
}

func (g *nearGate) opens(ttl int, from egress) instant {
	if ttl > nearHops || g.rate <= 0 {
		return 0
	}
	return g.at(ttl, from).opens()
}

// again returns when to ask again, given that the gate opens at the given time:
// by chance within the time in which about half of the crowd is let through.
// If all that wait woke whenever one may go, they would do little else.
func (g *nearGate) again(ttl int, from egress, at instant, chance uint32) instant {
	g.waits++
	places := uint64(g.crowd/2 + 1)
	return at.add(g.at(ttl, from).interval * time.Duration(uint64(chance>>8)%places))
}

func (g *nearGate) take(ttl int, from egress, now instant) {
	if ttl <= nearHops && g.rate > 0 {
		g.at(ttl, from).take(now)
	}
}
