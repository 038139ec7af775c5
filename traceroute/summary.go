package traceroute

import (
	"net/netip"
	"time"
)

// Summary is a Result counted up: by hop, by node of the hop, and for the
// target. Package stats computes it.
type Summary struct {
	Hops []Hop
	// Target is over the probes that the target answered; see Answer.OfTarget.
	Target RTT
}

// Hop is what one TTL showed.
type Hop struct {
	TTL     uint8 `json:"ttl"`
	Sent    int   `json:"sent"`
	Lost    int   `json:"lost"`    // not answered within their wait
	Pending int   `json:"pending"` // still waited for; 0 in a trace that has ended
	// Limited: the loss looks like a limit on ICMP errors; see Result.Limited.
	Limited bool   `json:"limited"`
	Nodes   []Node `json:"nodes"` // by packets, most first, then by address; empty when all was silent
}

// Node is one responder at one TTL. In a GREICMP trace an address that
// answered both halves is two nodes.
type Node struct {
	Addr   netip.Addr `json:"ip"`     // the zero Addr stands for all that Redact has hidden
	Labels []string   `json:"labels"` // annotations in the style of traceroute(8); nil when there are none
	RTT
}

// RTT summarises round-trip times. All are 0 when Count is 0.
type RTT struct {
	Count  int           `json:"packet_count"`
	Min    time.Duration `json:"min_rtt_ns"`
	Mean   time.Duration `json:"mean_rtt_ns"`
	Max    time.Duration `json:"max_rtt_ns"`
	StdDev time.Duration `json:"std_dev_rtt_ns"` // of the sample (n-1); 0 for fewer than two
}
