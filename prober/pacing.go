package prober

import "time"

// pacer lets events through at a steady rate, in bursts of at most a few
// milliseconds' worth: sleeping any shorter is beyond the runtime's timers.
// It is the virtual scheduling form of a token bucket (ITU-T I.371, GCRA).
// The zero value lets everything through.
type pacer struct {
	interval  time.Duration // between two events; 0: no limit
	tolerance time.Duration
	due       instant // when the next event would be, at the exact rate
}

// pacerBurst is how much of the rate may go at once: what a sender catches up
// with that was kept from running on a busy host.
const pacerBurst = 5 * time.Millisecond

// newPacer returns a pacer for a rate per second; 0 lifts the limit. At least
// burst events may go at once after a pause.
func newPacer(rate float64, burst int) pacer {
	if rate <= 0 {
		return pacer{}
	}
	interval := time.Duration(float64(time.Second) / rate)
	return pacer{interval: interval, tolerance: max(pacerBurst, interval*time.Duration(burst-1))}
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

// nearGate paces the probes that end at the nearest hops, by family and TTL.
type nearGate struct {
	pacers [2][nearHops]pacer
}

// nearBurst is what a stock Linux router answers before its limit of one per
// second and peer sets in (net.ipv4.icmp_ratelimit, six tokens).
const nearBurst = 6

func newNearGate(rate float64) *nearGate {
	g := &nearGate{}
	for family := range g.pacers {
		for ttl := range g.pacers[family] {
			g.pacers[family][ttl] = newPacer(rate, nearBurst)
		}
	}
	return g
}

func (g *nearGate) at(ttl int, v6 bool) *pacer {
	family := 0
	if v6 {
		family = 1
	}
	return &g.pacers[family][ttl-1]
}

func (g *nearGate) opens(ttl int, v6 bool) instant {
	if ttl > nearHops {
		return 0
	}
	return g.at(ttl, v6).opens()
}

func (g *nearGate) take(ttl int, v6 bool, now instant) {
	if ttl <= nearHops {
		g.at(ttl, v6).take(now)
	}
}
