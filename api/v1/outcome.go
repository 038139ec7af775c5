package v1

import (
	"probe-agent/service"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// Outcome is what came of tracing one target from one colo: a Trace or a
// Failure. While the trace runs there is neither.
type Outcome struct {
	Target  string                      `json:"target"` // as given
	Colo    traceroute.Colo             `json:"colo"`
	TookNS  *int64                      `json:"took_ns"` // null while it runs
	Failure *traceroute.FailureDocument `json:"failure"`
	Trace   *Trace                      `json:"trace"`
}

// Trace is a traceroute.Document with what is derived from it.
type Trace struct {
	Version int `json:"version"`
	traceroute.Header
	Summary Target                     `json:"target_summary"`
	Hops    []Hop                      `json:"hops"`
	Paths   []Path                     `json:"paths"`
	Probes  []traceroute.ProbeDocument `json:"probes"`
}

// NewOutcome renders an outcome of the trace, nil while that runs.
func NewOutcome(trace service.Trace, outcome *traceroute.Outcome, notes traceroute.Notes) Outcome {
	o := Outcome{Target: trace.Target, Colo: trace.Colo}
	if outcome == nil {
		return o
	}
	o.TookNS = new(outcome.Took.Nanoseconds())
	if outcome.Failure != nil {
		o.Failure = outcome.Failure.Document()
	} else {
		o.Trace = NewTrace(outcome.Result, notes)
	}
	return o
}

// NewTrace renders a result. Notes are what is known of the addresses in it.
func NewTrace(r *traceroute.Result, notes traceroute.Notes) *Trace {
	summary := stats.Summarize(r)
	t := &Trace{
		Version: traceroute.Version,
		Header:  r.Header(),
		Summary: newTarget(r.Spec.Target, summary.Target, notes),
		Hops:    make([]Hop, len(summary.Hops)),
		Paths:   newPaths(r.Probes),
		Probes:  make([]traceroute.ProbeDocument, len(r.Probes)),
	}
	for i := range summary.Hops {
		t.Hops[i] = newHop(&summary.Hops[i], notes)
	}
	for i := range r.Probes {
		t.Probes[i] = r.Probes[i].Document()
	}
	return t
}
