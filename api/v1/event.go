package v1

import (
	"probe-agent/traceroute"
)

// The names of events, each with its data.
const (
	EventStarted   = "started"   // Started
	EventHop       = "hop"       // HopChange
	EventDone      = "done"      // Done
	EventEnd       = "end"       // End
	EventAborted   = "aborted"   // Aborted; "error" is what EventSource calls a lost connection
	EventHeartbeat = "heartbeat" // an empty object
)

// Started is the first event: what is being traced. Other events name a trace
// by its place in Traces.
type Started struct {
	TraceID   string  `json:"trace_id"`
	RequestID string  `json:"request_id"` // header cf-ray of the answer to the POST
	Traces    []Begun `json:"traces"`
}

// Begun is a trace under way.
type Begun struct {
	Trace  int             `json:"trace"`
	Target string          `json:"target"`
	Colo   traceroute.Colo `json:"colo"`
}

// HopChange is a hop as it is now. Nothing sent means that the hop has turned
// out to be beyond the end of the path.
type HopChange struct {
	Trace int `json:"trace"`
	Hop   Hop `json:"hop"`
}

// Done is a trace that has ended. It replaces all that was reported of it.
type Done struct {
	Trace   int     `json:"trace"`
	Outcome Outcome `json:"outcome"`
}

// End is the last event of a stream in which every trace is done.
type End struct {
	DurationNS int64 `json:"duration_ns"`
	Traced     int   `json:"traced"`
	Failed     int   `json:"failed"`
}

// Aborted is the last event of a stream that could not be brought to its end.
type Aborted struct {
	Errors []Error `json:"errors"`
}

// Error is an entry of Aborted, in the form of the envelope's errors.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}
