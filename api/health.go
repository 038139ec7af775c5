package api

import "net/http"

// health is the answer of the health checks, in the envelope.
type health struct {
	Result   healthStatus `json:"result"`
	Success  bool         `json:"success"`
	Errors   []Message    `json:"errors"`
	Messages []Message    `json:"messages"`
}

type healthStatus struct {
	Status string `json:"status"`
}

func healthy() health {
	return health{Result: healthStatus{"ok"}, Success: true, Errors: []Message{}, Messages: []Message{}}
}

// healthz says that the process lives.
func (h *Handler) healthz(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, healthy())
}

// readyz says whether the agent can trace.
func (h *Handler) readyz(w http.ResponseWriter, r *http.Request) {
	if h.gate.limiter.Draining() {
		writeError(w, r, refusal(http.StatusServiceUnavailable, codeUnavailable, "the agent is shutting down"))
		return
	}
	if err := h.ready(); err != nil {
		writeError(w, r, refusal(http.StatusServiceUnavailable, codeUnavailable, "not ready: "+err.Error()))
		return
	}
	writeJSON(w, http.StatusOK, healthy())
}
