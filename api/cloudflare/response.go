package cloudflare

import "probe-agent/traceroute"

// TargetResult holds the traces of one target.
type TargetResult struct {
	Target string       `json:"target"` // as given
	Colos  []ColoResult `json:"colos"`
}

// ColoResult is the trace of one target from one colo.
type ColoResult struct {
	Colo    traceroute.Colo `json:"colo"`
	Error   string          `json:"error,omitempty"`
	TimeMS  int64           `json:"traceroute_time_ms"`
	Summary TargetSummary   `json:"target_summary"`
	Hops    []Hop           `json:"hops"`
}

// TargetSummary is about the packets that the target answered. Live answers
// of Cloudflare call its numbers rtt, the reference calls them latency: it has
// both.
type TargetSummary struct {
	ASN           string       `json:"asn"`
	IP            string       `json:"ip"`
	Name          string       `json:"name"`
	PacketCount   int          `json:"packet_count"`
	MeanRTT       Milliseconds `json:"mean_rtt_ms"`
	StdDevRTT     Milliseconds `json:"std_dev_rtt_ms"`
	MinRTT        Milliseconds `json:"min_rtt_ms"`
	MaxRTT        Milliseconds `json:"max_rtt_ms"`
	MeanLatency   Milliseconds `json:"mean_latency_ms"`
	StdDevLatency Milliseconds `json:"std_dev_latency_ms"`
	MinLatency    Milliseconds `json:"min_latency_ms"`
	MaxLatency    Milliseconds `json:"max_latency_ms"`
}

// Hop is what one TTL showed.
type Hop struct {
	TTL   int    `json:"packets_ttl"`
	Sent  int    `json:"packets_sent"`
	Lost  int    `json:"packets_lost"`
	Nodes []Node `json:"nodes"`
}

// Node is one responder of a hop, or the one without address that stands for
// their absence.
type Node struct {
	ASN         string       `json:"asn"`
	IP          string       `json:"ip"`
	Name        string       `json:"name"`
	PacketCount int          `json:"packet_count"`
	MeanRTT     Milliseconds `json:"mean_rtt_ms"`
	StdDevRTT   Milliseconds `json:"std_dev_rtt_ms"`
	MinRTT      Milliseconds `json:"min_rtt_ms"`
	MaxRTT      Milliseconds `json:"max_rtt_ms"`
	Labels      []string     `json:"labels,omitempty"`
}

// Milliseconds is a time as JSON shows it: a plain decimal in the fewest digits
// that give back the same float64. It is 0 or at least a nanosecond, below
// which encoding/json would write an exponent.
type Milliseconds float64
