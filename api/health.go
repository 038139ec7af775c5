package api

import (
	"net/http"

	"probe-agent/api/envelope"
)

type healthStatus struct {
	Status string `json:"status"`
}

// healthz reports that the process lives.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) {
	envelope.Write(w, http.StatusOK, healthStatus{"ok"})
}

// readyz reports whether the agent can trace.
func (h *Handler) readyz(w http.ResponseWriter, r *http.Request) {
	if h.limiter.Draining() {
		envelope.WriteError(w, r, envelope.Unavailable("the agent is shutting down"))
		return
	}
	if err := h.ready(); err != nil {
		envelope.WriteError(w, r, envelope.Unavailable("not ready: "+err.Error()))
		return
	}
	envelope.Write(w, http.StatusOK, healthStatus{"ok"})
}
