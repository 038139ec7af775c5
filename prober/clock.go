package prober

import (
	"time"

	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// moment is one reading of both clocks.
type moment struct {
	mono mono.Instant
	wall int64 // CLOCK_REALTIME, nanoseconds since 1970
}

// clockNoise is how far the difference of the two clocks may move before the
// wall clock counts as stepped: the noise of reading two clocks in turn. However
// long it takes, there is no more, since slewing (adjtimex(2)) changes the rate
// of CLOCK_REALTIME and CLOCK_MONOTONIC alike; they part by steps only.
const clockNoise = 20 * time.Microsecond

// clockWatch notices steps of the wall clock. Kernel stamps are wall time, so
// two of them may only be subtracted when they come from the same epoch.
type clockWatch struct {
	last  moment
	known bool
	epoch uint16
	// shift is how far the clock of the stamps is from the one read here. The
	// kernel's are one and the same, but a step may fall between a stamp and
	// the reading that would have shown it.
	shift time.Duration
}

// stepped reports whether m lies off the line that the clocks were on.
func (c *clockWatch) stepped(m moment) bool {
	if !c.known {
		return false
	}
	passed := m.mono.Since(c.last.mono)
	drift := time.Duration(m.wall-c.last.wall) - passed
	return drift.Abs() > clockNoise
}

// clockReadings is how often both clocks are read before they are believed to
// have parted: a thread that is interrupted between the two readings looks like
// a step, and on a busy host that happens twice in a row.
const clockReadings = 5

// read takes a reading into account and returns it; one that looks like a step
// is made again first.
func (c *clockWatch) read(reading func() moment) moment {
	m := reading()
	for range clockReadings - 1 {
		if !c.stepped(m) {
			break
		}
		m = reading()
	}
	c.observe(m)
	return m
}

// observe takes m into account and returns the epoch that it belongs to.
func (c *clockWatch) observe(m moment) uint16 {
	if c.stepped(m) {
		c.epoch++
	}
	c.last, c.known = m, true
	return c.epoch
}

// transmitted holds a transmit stamp against the reading before the sending.
// A stamp from before it shows that the stamps' clock has been set back. It
// shows nothing when the probe is of an earlier epoch: then a reading since has
// shown a step already, and may be on the other side of it.
func (c *clockWatch) transmitted(s sending) {
	if s.epoch != c.epoch {
		return
	}
	wall := c.last.wall - int64(c.last.mono.Since(s.user))
	if early := time.Duration(s.kernel-wall) - c.shift; early < -clockNoise {
		c.epoch++
		c.shift += early
	}
}

// departed returns when a probe left that was about to be sent at user: then, or
// as its transmit stamp says when that is much later, because the process was
// stopped before the system call or the packet waited in a queue of the host.
func (c *clockWatch) departed(s sending) mono.Instant {
	if s.epoch != c.epoch {
		return s.user
	}
	left := c.last.mono.Add(time.Duration(s.kernel - c.last.wall)).Add(-clockNoise)
	if left.Since(s.user) <= promptly || left > c.last.mono {
		return s.user
	}
	return left
}

// received holds a receive stamp against the reading after the receipt. A
// stamp from after it shows that the stamps' clock has been set forward.
func (c *clockWatch) received(m moment, kernel int64) {
	if ahead := time.Duration(kernel-m.wall) - c.shift; ahead > clockNoise {
		c.epoch++
		c.shift += ahead
	}
}

// stampSlack is how far a kernel RTT may exceed the one seen from this
// process. It cannot really, for our readings enclose the kernel's; this much
// is granted to the reading of two clocks.
const stampSlack = 10 * time.Microsecond

// sending is when a probe left, as far as known.
type sending struct {
	user   mono.Instant
	kernel int64 // wall clock; 0 without a stamp
	epoch  uint16
}

// receipt is when a reply came.
type receipt struct {
	user   moment
	kernel int64 // wall clock; 0 without a stamp
	epoch  uint16
}

// promptly is how soon after the stamp an answer is read, and how soon before
// it the time of a probe, when nothing is amiss.
const promptly = time.Millisecond

// roundTrip returns the best RTT that the stamps allow and says which clock
// it rests on. A stamp is dropped when the wall clock was stepped between the
// two ends, or when it contradicts the monotonic readings that enclose it.
// When the epoch has changed by now, an answer that seems to have lain about
// for long was more likely stamped after a step that had not shown yet.
func roundTrip(s sending, r receipt, epoch uint16) (time.Duration, traceroute.Clock) {
	user := max(0, r.user.mono.Since(s.user))
	if s.epoch != r.epoch || r.kernel == 0 {
		return user, traceroute.UserClock
	}
	if r.epoch != epoch && time.Duration(r.user.wall-r.kernel) > promptly {
		return user, traceroute.UserClock
	}
	if s.kernel != 0 {
		if rtt := time.Duration(r.kernel - s.kernel); rtt >= 0 && rtt <= user+stampSlack {
			return rtt, traceroute.KernelClock
		}
	}
	lag := time.Duration(r.user.wall - r.kernel)
	if lag < 0 || lag > user {
		return user, traceroute.UserClock
	}
	return user - lag, traceroute.KernelReceiveClock
}
