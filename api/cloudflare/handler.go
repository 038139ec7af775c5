// Package cloudflare is the endpoint in the form of Cloudflare's: it reads
// requests, and renders what came of them. Fields and values are those of the
// contract, openapi.yaml of package api.
package cloudflare

import (
	"context"
	"net/http"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
	"probe-agent/quota"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// Handler serves the endpoint.
type Handler struct{ service *service.Service }

// New returns a Handler that has s trace.
func New(s *service.Service) *Handler { return &Handler{service: s} }

// Traceroute answers a request when all of its traces have ended. They end early
// when the client closes the connection, or its own side of it: there is no
// answer then. The ticket is for its traces.
func (h *Handler) Traceroute(w http.ResponseWriter, r *http.Request, ticket *quota.Ticket) {
	job, err := h.decode(w, r)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	run, err := h.service.Start(r.Context(), job, ticket)
	if err != nil {
		envelope.WriteError(w, r, envelope.NotAdmitted(err))
		return
	}
	outcomes, err := run.Wait(context.WithoutCancel(r.Context())) // ends soon after the request's does
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	write(w, run.Traces(), outcomes, run.Notes())
}

// decode reads a request. Fields that it does not know are ignored.
func (h *Handler) decode(w http.ResponseWriter, r *http.Request) (*service.Job, error) {
	text, err := body.Read(w, r)
	if err != nil {
		return nil, err
	}
	var problems envelope.Problems
	top, ok := body.Parse(text, &problems)
	if !ok {
		return nil, problems.Err()
	}
	request := body.Lists(top, &problems)
	options := body.ReadOptions(top.Object("options", &problems), &problems)
	job, err := body.Job(h.service, request, options, &problems)
	if err == nil {
		envelope.RecordOf(r.Context()).Targets = len(request.Targets)
	}
	return job, err
}

// write answers target by target.
func write(w http.ResponseWriter, traces []service.Trace, outcomes []traceroute.Outcome, notes traceroute.Notes) {
	r := envelope.NewRenderer()
	defer r.Release()
	var messages []envelope.Message
	entries := func(yield func([]byte) bool) {
		for result, failures := range Targets(traces, outcomes, notes) {
			messages = append(messages, failures...)
			if !yield(r.Render(result)) {
				return
			}
		}
	}
	envelope.WriteList(w, http.StatusOK, envelope.List{Entries: entries}, func() []envelope.Message { return messages })
}
