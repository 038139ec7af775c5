package prober

import "time"

// How a trace opens up. The numbers trade two costs against each other: what
// has not been sent when the target answers costs another round trip, and
// what was sent beyond the target was for nothing. docs/adr tells how they
// were found.
const (
	// openAtOnce TTLs are probed without waiting for anything.
	openAtOnce = 5
	// openTTLs are probed as time passes, whether or not anything answers:
	// one more each openStep up to openFast, then each 2*openStep.
	openTTLs = 12
	openFast = 8
	openStep = time.Millisecond
	// firstLead is how many TTLs beyond the highest heard the first round
	// goes; nearLead during the first openStep, when the target may be so
	// near that its answer is worth waiting for.
	firstLead = 6
	nearLead  = 3
	// speculation bounds how many probes are out beyond the highest TTL
	// heard, all rounds together: what traceroute(8) allows itself, less one.
	speculation = 15
	// halfwaySpeculation is granted at halfwayTTL, which is half of a path
	// of usual length: it lets all rounds reach the path's end then.
	halfwaySpeculation = 18
	halfwayTTL         = 6
	// roundGap spaces the rounds at one TTL while the path's length is
	// unknown: routers limit the errors they send, near ones most.
	roundGap = 20 * time.Millisecond
	// minGap spaces them always.
	minGap = time.Millisecond
	// stallUnheard is how long to wait for the first answer of all before
	// the whole range is probed.
	stallUnheard = 100 * time.Millisecond
	// stallGrace is waited in addition to what the RTTs so far suggest.
	stallGrace = time.Millisecond
)

// opened returns how many TTLs the passing of time has opened, and when the
// next one opens (0: none will).
func opened(elapsed time.Duration) (ttl int, next time.Duration) {
	switch fast := time.Duration(openFast-openAtOnce) * openStep; {
	case elapsed < fast:
		steps := elapsed / openStep
		return openAtOnce + int(steps), (steps + 1) * openStep
	case elapsed < fast+2*openStep*(openTTLs-openFast):
		steps := (elapsed - fast) / (2 * openStep)
		return openFast + int(steps), fast + (steps+1)*2*openStep
	}
	return openTTLs, 0
}

// lead returns how far beyond the highest TTL heard the later rounds may go.
// It grows with the distance: whatever the path's length, its last TTL is
// released when about half of it has been heard, so that all packets are
// answered within about one and a half of the target's RTT.
func lead(heard int) int {
	switch {
	case heard < 5:
		return 1 + heard*2/3
	case heard == 5:
		return 5
	}
	return 6
}

// allowance returns how many probes may be out beyond the highest TTL heard.
func allowance(heard int) int {
	if heard == halfwayTTL {
		return halfwaySpeculation
	}
	return speculation
}

// frontier is how far a trace has heard: the highest TTL that answered.
type frontier struct {
	ttl     int           // 0 while nothing was heard
	rtt     time.Duration // of that TTL
	maxStep time.Duration // largest rise of RTT from one heard TTL to a higher one
	at      instant       // when it last moved
}

// advance moves the frontier to a TTL that answered.
func (f *frontier) advance(ttl int, rtt time.Duration, now instant) {
	if ttl <= f.ttl {
		return
	}
	if step := rtt - f.rtt; step > f.maxStep {
		f.maxStep = step
	}
	f.ttl, f.rtt, f.at = ttl, rtt, now
}

// stall returns when to give up hearing from the next TTL, whose first probe
// was sent at next: silent routers, or a silent target, and everything up to
// the maximum TTL has to be asked.
func (f *frontier) stall(started, next instant) instant {
	if f.ttl == 0 {
		return started.add(stallUnheard)
	}
	return max(next, f.at.add(-f.rtt)).add(f.rtt + f.maxStep*5/4 + stallGrace)
}

// gap returns how long after one probe the next may go to the same TTL.
func (f *frontier) gap(ttl int, lengthKnown bool) time.Duration {
	switch {
	case lengthKnown:
		return max(minGap, min(roundGap, f.rtt/8))
	case ttl <= f.ttl:
		return roundGap
	}
	return minGap
}
