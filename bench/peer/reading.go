// Package peer reads what other programs print: the traceroutes that the agent
// is measured against, and the tools of the measurement.
package peer

import (
	"net/netip"
	"time"
)

// Reading is what a traceroute said of one probe.
type Reading struct {
	Target netip.Addr
	TTL    int
	// Ordinal counts the probes to this target and TTL, from 0, in the order
	// of sending.
	Ordinal int
	// RTT as printed; negative when the program saw no answer.
	RTT time.Duration
}

// Unanswered is the RTT of a probe that got no answer.
const Unanswered time.Duration = -1

// Answered reports whether the program saw an answer.
func (r Reading) Answered() bool { return r.RTT >= 0 }
