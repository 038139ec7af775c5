package v1

import (
	"context"
	"log/slog"
	"net/http"

	"probe-agent/access"
	"probe-agent/api/envelope"
	"probe-agent/quota"
	"probe-agent/service"
)

// Prefix is the path that requests of traces are made at. A trace is at
// Prefix/{id}, its events at Prefix/{id}/events.
const Prefix = "/v1/traces"

// Handler serves traces as resources.
type Handler struct {
	service *service.Service
	store   *store
	log     *slog.Logger
}

// New returns a Handler that has s trace.
func New(s *service.Service, limits Limits, log *slog.Logger) *Handler {
	return &Handler{service: s, store: newStore(limits), log: log}
}

// SetLimits replaces the limits of what is kept and drops what is over them.
func (h *Handler) SetLimits(limits Limits) { h.store.setLimits(limits) }

// Kept returns how many requests of traces are kept after they have ended, and
// the bytes that they take.
func (h *Handler) Kept() (traces int, bytes int64) { return h.store.kept() }

// Create serves POST Prefix: at once, live, or later. The ticket is for the
// traces of the request.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request, ticket *quota.Ticket) {
	w.Header().Set("Vary", "Accept")
	f, err := chooseForm(r.Header.Values("Accept"), wholeForm, ndjsonForm, sseForm)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	async := f == wholeForm && prefersAsync(r.Header.Values("Prefer"))
	job, err := h.decode(w, r, f != wholeForm || async)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	if async {
		ticket = ticket.Transfer()
	}
	t, err := h.start(r, job, ticket, async)
	if err != nil {
		envelope.WriteError(w, r, envelope.NotAdmitted(err))
		return
	}
	w.Header().Set("Location", Prefix+"/"+t.id)
	switch {
	case async:
		w.Header().Set("Preference-Applied", "respond-async")
		h.write(w, r, t, http.StatusAccepted)
	case f == wholeForm:
		h.answer(w, r, t)
	default:
		h.stream(w, r, t, f)
	}
}

// answer answers with the resource when its traces have ended.
func (h *Handler) answer(w http.ResponseWriter, r *http.Request, t *resource) {
	<-t.recorded // soon after the client has gone
	switch err := r.Context().Err(); {
	case t.fault != nil: // for the log, also when the client has gone
		envelope.WriteError(w, r, t.fault)
	case err != nil:
		envelope.WriteError(w, r, err)
	default:
		h.write(w, r, t, http.StatusOK)
	}
}

// start admits the job and begins its run. An attached run is cancelled when the
// request ends before it; a detached one closes its ticket, which is closed here
// when the job is not admitted.
func (h *Handler) start(r *http.Request, job *service.Job, ticket *quota.Ticket, detached bool) (*resource, error) {
	ctx, release := context.WithCancel(context.WithoutCancel(r.Context()))
	waiting := context.AfterFunc(r.Context(), release)
	run, err := h.service.Start(ctx, job, ticket)
	waiting()
	if err != nil {
		release()
		if detached {
			ticket.Close()
		}
		return nil, err
	}
	record := envelope.RecordOf(r.Context())
	record.TraceID = run.ID()
	t := newResource(run, access.PrincipalOf(r.Context()).Account, record.RequestID)
	h.store.add(t)
	if !detached {
		context.AfterFunc(r.Context(), t.cancel)
	}
	go func() {
		t.record(run)
		h.store.finish(t)
		release()
		if detached {
			ticket.Close()
			if t.fault != nil {
				envelope.LogFault(ctx, h.log, t.requestID, t.fault)
			}
		}
	}()
	return t, nil
}
