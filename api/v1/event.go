package v1

// An Event is one of a live stream. Data is one of the types below; or nothing
// for a heartbeat.
type Event struct {
	Name string `json:"event"`
	ID   int    `json:"id"` // from 1 on
	Data any    `json:"data"`
}

// The names of events.
const (
	EventStarted   = "started"   // Started
	EventHop       = "hop"       // HopChange
	EventDone      = "done"      // Done
	EventEnd       = "end"       // End
	EventAborted   = "aborted"   // Aborted; "error" is what EventSource calls a lost connection
	EventHeartbeat = "heartbeat" // Heartbeat
)

// Started is the first event: what is being traced. Other events name a trace
// by its place in Traces.
type Started struct {
	RequestID string  `json:"request_id"` // that of the header cf-ray
	Traces    []Begun `json:"traces"`
}

// Begun is a trace under way.
type Begun struct {
	Trace  int    `json:"trace"`
	Target string `json:"target"`
	Colo   Colo   `json:"colo"`
}

// HopChange is a hop as it is now. Nothing sent means that the hop has turned
// out to be beyond the end of the path.
type HopChange struct {
	Trace int `json:"trace"`
	Hop   Hop `json:"hop"`
}

// Done is a finished trace. It replaces all that was told of it.
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

// Heartbeat shows in quiet times that the stream lives.
type Heartbeat struct{}
