package v1

import (
	"net/netip"
	"time"

	"probe-agent/prober"
)

// Outcome is what came of tracing one target from one colo: a Trace or a
// Failure.
type Outcome struct {
	Target  string   `json:"target"` // as given
	Colo    Colo     `json:"colo"`
	TookNS  int64    `json:"took_ns"`
	Failure *Failure `json:"failure"`
	Trace   *Trace   `json:"trace"`
}

// Colo names a colo.
type Colo struct {
	Name string `json:"name"`
	City string `json:"city"`
}

// Failure says why there is no trace.
type Failure struct {
	Code    int    `json:"code"`
	Reason  string `json:"reason"`  // one word for the code, for programs
	Message string `json:"message"` // for people
}

// Trace is a prober.Result.
type Trace struct {
	Options     Options   `json:"options"`
	Source      Address   `json:"source"`
	StartedAt   time.Time `json:"started_at"` // UTC
	DurationNS  int64     `json:"duration_ns"`
	Stop        string    `json:"stop"`
	Counts      Counts    `json:"counts"`
	LimitedTTLs []int     `json:"limited_ttls"`
	Summary     Target    `json:"target_summary"`
	Hops        []Hop     `json:"hops"`
	Paths       []Path    `json:"paths"`
	Probes      []Probe   `json:"probes"`
}

// Address is an IP address. The zero one is the empty string.
type Address = netip.Addr

// Options are those that the trace was made with, defaults filled in.
type Options struct {
	PacketType    string `json:"packet_type"`
	MaxTTL        int    `json:"max_ttl"`
	PacketsPerTTL int    `json:"packets_per_ttl"`
	Port          int    `json:"port"`
	WaitMS        int64  `json:"wait_ms"`
	Family        string `json:"family"`
}

// Counts are packets of the trace.
type Counts struct {
	Sent       int `json:"sent"`
	Answered   int `json:"answered"`
	Beyond     int `json:"beyond"`
	Retried    int `json:"retried"`
	Duplicates int `json:"duplicates"`
	Late       int `json:"late"`
	Forged     int `json:"forged"`
}

// NewTrace renders a result and its summary. It keeps nothing of either.
func NewTrace(r *prober.Result, summary prober.Summary, notes Notes) *Trace {
	t := &Trace{
		Options: Options{
			PacketType:    r.Spec.Method.String(),
			MaxTTL:        r.Spec.MaxTTL,
			PacketsPerTTL: r.Spec.PacketsPerTTL,
			Port:          r.Spec.Port,
			WaitMS:        r.Spec.Wait.Milliseconds(),
			Family:        r.Spec.Family.String(),
		},
		Source:     r.Source,
		StartedAt:  r.Started.UTC().Round(0),
		DurationNS: r.Duration.Nanoseconds(),
		Stop:       stopName(r.Stop),
		Counts: Counts{
			Sent:       len(r.Probes) + r.Counts.Beyond + r.Counts.Retried,
			Beyond:     r.Counts.Beyond,
			Retried:    r.Counts.Retried,
			Duplicates: r.Counts.Duplicates,
			Late:       r.Counts.Late,
			Forged:     r.Counts.Forged,
		},
		LimitedTTLs: make([]int, len(r.Limited)),
		Summary:     newTarget(r.Spec.Target, summary.Target, notes),
		Hops:        Hops(r, summary, notes),
		Paths:       newPaths(r.Probes),
		Probes:      make([]Probe, len(r.Probes)),
	}
	for i, ttl := range r.Limited {
		t.LimitedTTLs[i] = int(ttl)
	}
	for i := range r.Probes {
		t.Probes[i] = newProbe(&r.Probes[i])
		if r.Probes[i].Answer != nil {
			t.Counts.Answered++
		}
	}
	return t
}

// stopName is the name of a reason to stop, part of the API.
func stopName(s prober.Stop) string {
	return [...]string{
		prober.Running:   "running",
		prober.Reached:   "reached",
		prober.Blocked:   "blocked",
		prober.Exhausted: "exhausted",
	}[s]
}
