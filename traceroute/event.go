package traceroute

import (
	"net/netip"
	"time"
)

// Colo names a place that traces.
type Colo struct {
	Name string `json:"name"` // short, as in requests: den01
	City string `json:"city"` // in words: "Denver, CO, US"
}

// Batch is what a colo is asked for: to trace all targets as the Spec says.
type Batch struct {
	Targets []string // host names or addresses
	Spec    Spec     // of each target; its Target is for the colo to find
	Live    bool     // events with Hops are wanted while traces run
}

// Event is something that happened to one trace of a Batch. Exactly one of
// Responders, Hops and Outcome is set.
type Event struct {
	Target     int         // index into Batch.Targets
	Responders []Responder // nodes that answered at a TTL for the first time
	// Hops are those that have changed, each as it is now, whole. One with
	// nothing sent has turned out to be beyond the end of the path.
	Hops    []Hop
	Outcome *Outcome // the last event of its target
}

// Responder is a node that answered, at a TTL that may be 0: unknown yet.
type Responder struct {
	Addr netip.Addr `json:"ip"`
	TTL  uint8      `json:"ttl"`
}

// Outcome is what came of tracing one target: a Result or a Failure.
type Outcome struct {
	Result  *Result
	Failure *Failure
	Took    time.Duration
}
