package api

import (
	"net/http"

	"probe-agent/api/envelope"
)

// Response is the answer to a request that was not refused.
type Response envelope.Envelope[[]TargetResult]

// write answers with the response, target by target.
func (a *Response) write(w http.ResponseWriter) {
	entries := func(yield func([]byte) bool) {
		for i := range a.Result {
			if !yield(envelope.Render(&a.Result[i])) {
				return
			}
		}
	}
	envelope.WriteList(w, http.StatusOK, envelope.List{Entries: entries}, func() []envelope.Message { return a.Messages })
}

// TargetResult holds the traces of one target.
type TargetResult struct {
	Target string       `json:"target"` // as given
	Colos  []ColoResult `json:"colos"`
}

// ColoResult is the trace of one target from one colo.
type ColoResult struct {
	Colo    ColoInfo      `json:"colo"`
	Error   string        `json:"error,omitempty"`
	TimeMS  int64         `json:"traceroute_time_ms"`
	Summary TargetSummary `json:"target_summary"`
	Hops    []Hop         `json:"hops"`
}

// ColoInfo names a colo.
type ColoInfo struct {
	Name string `json:"name"`
	City string `json:"city"`
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
