package v1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/internal/panics"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// The states of a resource.
const (
	stateRunning   = "running"
	stateDone      = "done"
	stateCancelled = "cancelled" // before all traces had ended by themselves
)

// resource is a request of traces as clients address it: a run, or what came of
// one, rendered.
type resource struct {
	id        string
	account   string
	requestID string // header cf-ray of the answer to the POST
	traces    []service.Trace
	recorded  chan struct{} // closed when the run has ended, and all below is final
	cancelled atomic.Bool   // the run, as long as it had not ended

	mu       sync.Mutex   // guards what follows until recorded is closed
	run      *service.Run // nil once recorded
	outcomes [][]byte     // by trace, an Outcome as JSON; nil: not rendered yet

	started, end uint64      // ids of events; end is that of End or Aborted
	done         []doneEvent // in order
	state        string
	took         time.Duration
	failed       int           // traces
	fault        *panics.Error // ended the run
	ended        time.Time
}

type doneEvent struct {
	id    uint64
	trace int
}

func newResource(run *service.Run, account, requestID string) *resource {
	return &resource{
		id: run.ID(), account: account, requestID: requestID, traces: run.Traces(), run: run,
		outcomes: make([][]byte, len(run.Traces())), recorded: make(chan struct{}), state: stateRunning,
	}
}

// running returns the run, nil when it has been recorded.
func (t *resource) running() *service.Run {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.run
}

// cancel ends the traces that run.
func (t *resource) cancel() {
	if run := t.running(); run != nil {
		t.cancelled.Store(true)
		run.Cancel()
	}
}

// outcome returns what came of a trace as JSON, for its Done event. It is rendered
// once.
func (t *resource) outcome(e *service.Event) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcomes[e.Trace] == nil {
		// A copy takes no more than it needs.
		t.outcomes[e.Trace] = bytes.Clone(envelope.Render(NewOutcome(t.traces[e.Trace], e.Outcome, e.Notes)))
	}
	return t.outcomes[e.Trace]
}

// record waits for the end of the run, renders what came of it, and lets go of
// the run.
func (t *resource) record(run *service.Run) {
	<-run.Done()
	err := t.collect(run)
	t.end = run.Latest()
	if err != nil { // there was no End
		t.end++
		t.state = stateCancelled
		t.fault, _ = errors.AsType[*panics.Error](err)
	}
	t.ended = time.Now()
	t.mu.Lock()
	t.run = nil
	t.mu.Unlock()
	close(t.recorded)
}

// collect reads the events of a run that has ended. The error is that of the run,
// or a panic.
func (t *resource) collect(run *service.Run) (err error) {
	defer panics.Catch(&err)
	t.state = stateDone
	events := run.Subscribe(0)
	for {
		batch, err := events.Next(context.Background()) // returns at once
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range batch {
			t.collectEvent(&batch[i])
		}
	}
}

func (t *resource) collectEvent(e *service.Event) {
	switch e.Kind {
	case service.Started:
		t.started = e.ID
	case service.Done:
		t.outcome(e)
		t.done = append(t.done, doneEvent{e.ID, e.Trace})
		if f := e.Outcome.Failure; f != nil {
			t.failed++
			if f.Code == traceroute.TimedOut && t.cancelled.Load() {
				t.state = stateCancelled
			}
		}
	case service.End:
		t.took = e.Took
	}
}

// size is about how many bytes the resource takes once recorded.
func (t *resource) size() int {
	const fixed = 1 << 10 // what any has
	size := fixed
	for i := range t.outcomes {
		size += len(t.outcomes[i]) + 2*len(t.traces[i].Target)
	}
	return size
}
