package v1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"probe-agent/api/envelope"
	"probe-agent/internal/panics"
	"probe-agent/service"
)

// stream serves a request live. Nothing runs for it any more when it returns.
func (h *Handler) stream(w http.ResponseWriter, r *http.Request, t *resource, f form) {
	defer func() {
		<-t.recorded
		if t.fault != nil { // for the log, also when the client has gone
			envelope.RecordOf(r.Context()).Fault = t.fault
		}
	}()
	out := newEventWriter(w, f)
	err := h.writeEvents(r.Context(), out, t, 0)
	if err == nil {
		return
	}
	t.cancel()
	if !out.begun {
		envelope.WriteError(w, r, err)
		return
	}
	h.abort(r, out, t, err)
}

// abort ends a stream that could not come to its end because of err.
func (h *Handler) abort(r *http.Request, out *eventWriter, t *resource, err error) {
	record := envelope.RecordOf(r.Context())
	_, ofRun := errors.AsType[runError](err)
	if fault, ok := errors.AsType[*panics.Error](err); ok {
		id := out.last // of a fault of this stream alone: there may be further events
		if ofRun {
			<-t.recorded // at once, as the run has ended
			id = t.end
		} else {
			record.Fault = fault
		}
		_ = out.abort(id, envelope.CodeInternal, envelope.FaultMessage)
		return
	}
	// The client has gone or does not read, or has only closed its side: that
	// one reads this. There are further events, which it may come back for.
	record.Abandoned = true
	_ = out.abort(out.last, envelope.CodeUnavailable, "cut off: the client has closed its side of the connection, or does not read")
}

// writeEvents writes what happens to the resource, or has happened, after the event of
// that id. It returns when all is written, with the error of the first write that
// failed, of ctx, or of the run. A panic is an error, too. When ctx has ended,
// nothing is written but the first event: what ends the traces of a client that
// has left is no outcome for it.
func (h *Handler) writeEvents(ctx context.Context, out *eventWriter, t *resource, after uint64) (err error) {
	defer panics.Catch(&err)
	run := t.running()
	if run == nil {
		return t.replay(ctx, out, after)
	}
	events := run.Subscribe(after)
	for {
		batch, err := next(ctx, events, out)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return errorOf(run, err)
		}
		for i := range batch {
			if err := ctx.Err(); err != nil && batch[i].Kind != service.Started {
				return fmt.Errorf("v1: writing events: %w", err)
			}
			if err := t.add(ctx, out, run, &batch[i]); err != nil {
				return err
			}
			if err := out.flushIfLarge(); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		out.rest(ctx, run.Done())
	}
}

// errorOf returns a runError when err is that of a run that has failed, and else err:
// that of ctx, or a panic in what is read for this stream alone.
func errorOf(run *service.Run, err error) error {
	select {
	case <-run.Done():
		if _, failed := run.Wait(context.Background()); errors.Is(failed, err) {
			return runError{err}
		}
	default:
	}
	return err
}

// runError is the error of a run, and not of who follows it.
type runError struct{ error }

// Unwrap returns the error.
func (e runError) Unwrap() error { return e.error }

// next waits for events, with heartbeats meanwhile.
func next(ctx context.Context, events *service.Subscription, out *eventWriter) ([]service.Event, error) {
	for {
		quiet, cancel := context.WithTimeout(ctx, heartbeat)
		batch, err := events.Next(quiet)
		over := quiet.Err() != nil
		cancel()
		if err == nil || !over || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return batch, err
		}
		if err := out.beat(); err != nil {
			return nil, err
		}
	}
}

// add adds one event of a run to those to be written. The error is that of the
// run, or of ctx.
func (t *resource) add(ctx context.Context, out *eventWriter, run *service.Run, e *service.Event) error {
	switch e.Kind {
	case service.Started:
		out.add(e.ID, EventStarted, t.begun())
	case service.Hop:
		out.add(e.ID, EventHop, HopChange{Trace: e.Trace, Hop: newHop(&e.Hop, e.Notes)})
	case service.Done:
		out.addJSON(e.ID, EventDone, doneData(e.Trace, t.outcome(e)))
	case service.End:
		outcomes, err := run.Wait(ctx) // it has ended
		if err != nil {
			return err
		}
		failed := 0
		for i := range outcomes {
			if outcomes[i].Failure != nil {
				failed++
			}
		}
		out.add(e.ID, EventEnd, End{DurationNS: e.Took.Nanoseconds(), Traced: len(outcomes) - failed, Failed: failed})
	}
	return nil
}

// replay writes the events of a resource that has been recorded.
func (t *resource) replay(ctx context.Context, out *eventWriter, after uint64) error {
	if t.started > after {
		out.add(t.started, EventStarted, t.begun())
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("v1: writing events: %w", err)
	}
	for _, d := range t.done {
		if d.id <= after {
			continue
		}
		out.addJSON(d.id, EventDone, doneData(d.trace, t.outcomes[d.trace]))
		if err := out.flushIfLarge(); err != nil {
			return err
		}
	}
	if t.fault != nil {
		return runError{t.fault}
	}
	if t.end <= after {
		return out.flush()
	}
	out.add(t.end, EventEnd, End{DurationNS: t.took.Nanoseconds(), Traced: len(t.traces) - t.failed, Failed: t.failed})
	return out.flush()
}

// begun is the data of the first event.
func (t *resource) begun() Started {
	s := Started{TraceID: t.id, RequestID: t.requestID, Traces: make([]Begun, len(t.traces))}
	for i, trace := range t.traces {
		s.Traces[i] = Begun{Trace: i, Target: trace.Target, Colo: trace.Colo}
	}
	return s
}

// doneData is the data of a Done event as JSON.
func doneData(trace int, outcome []byte) []byte {
	data := append([]byte(`{"trace":`), strconv.Itoa(trace)...)
	data = append(data, `,"outcome":`...)
	return append(append(data, outcome...), '}')
}
