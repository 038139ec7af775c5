package api

import (
	"errors"
	"log/slog"
	"net/http"

	"probe-agent/api/envelope"
	"probe-agent/internal/panics"
)

// catchPanics answers a request whose handler panicked with 500, and logs every
// fault of the agent that ended a request. When the answer had begun, the
// connection is dropped, so that the client sees that it is not complete.
func catchPanics(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			record := envelope.RecordOf(r.Context())
			err := call(next, w, r)
			if errors.Is(err, http.ErrAbortHandler) { // how net/http drops a connection
				record.Abandoned = true
				panic(http.ErrAbortHandler)
			}
			if fault, ok := errors.AsType[*panics.Error](err); ok {
				record.Fault = fault
			}
			if record.Fault != nil {
				envelope.LogFault(r.Context(), log, record.RequestID, record.Fault)
			}
			if err == nil {
				return
			}
			if sent, ok := w.(*statusWriter); ok && sent.begun {
				panic(http.ErrAbortHandler)
			}
			envelope.WriteError(w, r, err)
		})
	}
}

// call is next.ServeHTTP with panics as errors.
func call(next http.Handler, w http.ResponseWriter, r *http.Request) (err error) {
	defer panics.Catch(&err)
	next.ServeHTTP(w, r)
	return nil
}
