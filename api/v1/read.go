package v1

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/service"
)

// head is what the form of a resource has in front of its traces.
type head struct {
	TraceID    string `json:"trace_id"`
	RequestID  string `json:"request_id"`
	State      string `json:"state"`
	DurationNS *int64 `json:"duration_ns"` // null while it runs
}

// Get serves GET Prefix/{id}: what came of a request, as far as it has.
func (h *Handler) Get(w http.ResponseWriter, r *http.Request, id string) {
	if t := h.find(w, r, id); t != nil {
		h.write(w, r, t, http.StatusOK)
	}
}

// Cancel serves DELETE Prefix/{id}: it ends the traces that run and answers as
// Get. Nothing changes when they have ended.
func (h *Handler) Cancel(w http.ResponseWriter, r *http.Request, id string) {
	t := h.find(w, r, id)
	if t == nil {
		return
	}
	t.cancel()
	select {
	case <-t.recorded:
		h.write(w, r, t, http.StatusOK)
	case <-r.Context().Done():
		envelope.WriteError(w, r, r.Context().Err())
	}
}

// Events serves GET Prefix/{id}/events: a live stream of what is left of the
// events, after the one that Last-Event-ID or the parameter after names. When no
// events are left the status is 204, at which EventSource does not come back.
func (h *Handler) Events(w http.ResponseWriter, r *http.Request, id string) {
	w.Header().Set("Vary", "Accept")
	t := h.find(w, r, id)
	if t == nil {
		return
	}
	f, err := chooseForm(r.Header.Values("Accept"), ndjsonForm, sseForm)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	after, err := lastEvent(r)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	latest, ended := t.latest()
	switch {
	case after > latest:
		envelope.WriteError(w, r, envelope.NewError(http.StatusBadRequest, envelope.CodeEvent, "there is no event of that id yet"))
		return
	case ended && after == latest:
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	out := newEventWriter(w, f)
	out.last = after
	out.begin()
	_ = out.control.Flush() // the client may have to wait for the first event
	if err := h.writeEvents(r.Context(), out, t, after); err != nil {
		h.abort(r, out, t, err)
	}
}

// latest returns the highest id of an event so far, and whether there will be no
// higher one.
func (t *resource) latest() (id uint64, ended bool) {
	if run := t.running(); run != nil {
		select {
		case <-run.Done():
			<-t.recorded // follows soon
		default:
			return run.Latest(), false
		}
	}
	return t.end, true
}

// lastEvent returns the id of the last event that the client has, 0 when it has
// none: a Last-Event-ID header, or else the parameter after.
func lastEvent(r *http.Request) (uint64, error) {
	name, values := "Last-Event-ID", r.Header.Values("Last-Event-ID")
	if len(values) == 0 {
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return 0, envelope.NewError(http.StatusBadRequest, envelope.CodeEvent, "the query is malformed")
		}
		name, values = "after", query["after"]
	}
	if len(values) == 0 {
		return 0, nil
	}
	id, err := strconv.ParseUint(values[0], 10, 63)
	if err != nil || len(values) > 1 {
		return 0, envelope.NewError(http.StatusBadRequest, envelope.CodeEvent, name+" must be given once, as the id of an event: a whole number")
	}
	return id, nil
}

// find returns the resource, or nil after answering that there is none.
func (h *Handler) find(w http.ResponseWriter, r *http.Request, id string) *resource {
	t := h.store.find(access.PrincipalOf(r.Context()).Account, id)
	if t != nil {
		envelope.RecordOf(r.Context()).TraceID = id
	} else {
		envelope.WriteError(w, r, envelope.NewError(http.StatusNotFound, envelope.CodeTrace, "no such trace; those that have ended are kept for a limited time only"))
	}
	return t
}

// write answers with the resource.
func (h *Handler) write(w http.ResponseWriter, r *http.Request, t *resource, status int) {
	head := head{TraceID: t.id, RequestID: t.requestID, State: stateRunning}
	var outcomes [][]byte
	if run := t.running(); run != nil {
		var err error
		if outcomes, err = t.soFar(r.Context(), run); err != nil {
			envelope.WriteError(w, r, err)
			return
		}
	} else {
		if t.fault != nil {
			envelope.WriteError(w, r, envelope.NewError(http.StatusInternalServerError, envelope.CodeInternal, "a fault of the agent; its log has it under "+t.requestID))
			return
		}
		outcomes, head.State, head.DurationNS = t.outcomes, t.state, new(t.took.Nanoseconds())
	}
	entries := func(yield func([]byte) bool) {
		for i, outcome := range outcomes {
			if outcome == nil {
				outcome = envelope.Render(NewOutcome(t.traces[i], nil, nil))
			}
			if !yield(outcome) {
				return
			}
		}
	}
	envelope.WriteList(w, status, envelope.List{Head: head, Field: "traces", Entries: entries}, func() []envelope.Message { return nil })
}

// soFar returns the outcomes of the traces that have ended; nil for the others.
func (t *resource) soFar(ctx context.Context, run *service.Run) ([][]byte, error) {
	events, err := run.Subscribe(0).Next(ctx) // Started at least: it returns at once
	if err != nil {
		return nil, err
	}
	outcomes := make([][]byte, len(t.traces))
	for i := range events {
		if e := &events[i]; e.Kind == service.Done {
			outcomes[e.Trace] = t.outcome(e)
		}
	}
	return outcomes, nil
}
