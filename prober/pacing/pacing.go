// Package pacing limits how fast probes are sent: all together, to the first
// hops, and to each destination prefix.
//
// It reads no clock and starts no goroutine. Nothing in it is safe for
// concurrent use, and nothing allocates per probe.
package pacing

import (
	"time"

	"probe-agent/prober/mono"
)

// Pacer lets events through at a steady rate, in bursts of at most some
// milliseconds' worth: sleeping any shorter is beyond the runtime's timers.
// It is the virtual scheduling form of a token bucket (ITU-T I.371, GCRA).
// The zero value lets everything through.
type Pacer struct {
	interval  time.Duration // between two events; 0: no limit
	tolerance time.Duration
	due       mono.Instant // when the next event would be, at the exact rate
}

// pacerBurst is how much of the rate may go at once: what a sender catches up
// with that was kept from running on a busy host. Go's scheduler lets it wait
// for 10 ms behind goroutines that never yield.
const pacerBurst = 12 * time.Millisecond

// NewPacer returns a pacer for a rate per second; 0 lifts the limit. At least
// burst events may go at once after a pause.
func NewPacer(rate float64, burst int) Pacer {
	if rate <= 0 {
		return Pacer{}
	}
	interval := time.Duration(float64(time.Second) / rate)
	return Pacer{interval: interval, tolerance: max(pacerBurst, interval*time.Duration(burst-1))}
}

// SetRate changes the rate from the next event on.
func (p *Pacer) SetRate(rate float64, burst int) {
	due := p.due
	*p = NewPacer(rate, burst)
	if p.interval != 0 {
		p.due = due
	}
}

// ReadyAt returns the earliest time at which the next event may happen; in the
// past when it may now.
func (p *Pacer) ReadyAt() mono.Instant {
	if p.interval == 0 {
		return 0
	}
	return p.due.Add(-p.tolerance)
}

// Take counts an event at now, which must not be before ReadyAt.
func (p *Pacer) Take(now mono.Instant) {
	if p.interval != 0 {
		p.due = max(p.due, now).Add(p.interval)
	}
}
