package v1

import (
	"net/netip"

	"probe-agent/traceroute"
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

// Trace is a traceroute.Result in its JSON form, with what is derived from it.
type Trace struct {
	traceroute.Header
	Summary Target                     `json:"target_summary"`
	Hops    []Hop                      `json:"hops"`
	Paths   []Path                     `json:"paths"`
	Probes  []traceroute.ProbeDocument `json:"probes"`
}

// Address is an IP address. The zero one is the empty string.
type Address = netip.Addr

// NewTrace renders a result and its summary. It keeps nothing of either.
func NewTrace(r *traceroute.Result, summary traceroute.Summary, notes Notes) *Trace {
	t := &Trace{
		Header:  r.Header(),
		Summary: newTarget(r.Spec.Target, summary.Target, notes),
		Hops:    Hops(r, summary, notes),
		Paths:   newPaths(r.Probes),
		Probes:  make([]traceroute.ProbeDocument, len(r.Probes)),
	}
	for i := range r.Probes {
		t.Probes[i] = r.Probes[i].Document()
	}
	return t
}
