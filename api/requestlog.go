package api

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"

	"probe-agent/api/envelope"
)

// statusAbandoned is logged and observed, never sent, for a request whose
// client went away or was cut off. nginx uses the same number.
const statusAbandoned = 499

// recordRequests gives every request an id, which its cf-ray header has, reports it
// to the observer, and logs one line when it has been served. Health checks and
// scrapes come every few seconds, so their lines are for debugging only. The
// connection of a request that no handler has answered is dropped. While the
// agent is draining, every answer closes its connection, so that clients connect
// elsewhere.
func recordRequests(log *slog.Logger, name string, observer Observer, draining func() bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			started, end := time.Now(), observer.Begin()
			record := &envelope.Record{RequestID: newRequestID(name)}
			w.Header().Set("cf-ray", record.RequestID)
			sw := &statusWriter{ResponseWriter: w, draining: draining, status: http.StatusOK}
			r = r.WithContext(envelope.WithRecord(r.Context(), record))
			// Deferred, as a handler may drop the connection by a panic.
			defer func() {
				switch {
				case record.Abandoned:
					sw.status = statusAbandoned
				case record.Fault != nil:
					sw.status = http.StatusInternalServerError
				}
				took := time.Since(started)
				end(chi.RouteContext(r.Context()).RoutePattern(), sw.status, took)
				if record.CredentialsNeeded {
					observer.Asked(record.Principal.Token, record.Code)
				}
				level := slog.LevelInfo
				if record.Quiet || r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == metricsPath {
					level = slog.LevelDebug
				}
				attrs := []slog.Attr{
					slog.String("method", envelope.Loggable(r.Method)),
					slog.String("path", envelope.Loggable(r.URL.Path)),
					slog.Int("status", sw.status),
					slog.Duration("duration", took),
					slog.String("ray", record.RequestID),
					slog.String("remote", r.RemoteAddr),
					slog.String("client", clientOf(r).String()),
					slog.String("token", record.Principal.Token),
					slog.String("account", record.Principal.Account),
					slog.Int("targets", record.Targets),
				}
				if record.TraceID != "" {
					attrs = append(attrs, slog.String("trace", record.TraceID))
				}
				log.LogAttrs(r.Context(), level, "request", attrs...)
			}()
			next.ServeHTTP(sw, r)
			if !sw.begun {
				// net/http would answer 200 with an empty body.
				record.Abandoned = true
				panic(http.ErrAbortHandler)
			}
		})
	}
}

func newRequestID(name string) string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // never fails: crypto/rand ends the process instead
	return hex.EncodeToString(id[:]) + "-" + name
}

// statusWriter remembers the status sent.
type statusWriter struct {
	http.ResponseWriter
	draining func() bool
	status   int
	begun    bool // the answer
}

// WriteHeader passes status on and remembers it.
func (w *statusWriter) WriteHeader(status int) {
	if !w.begun && w.draining() {
		w.Header().Set("Connection", "close")
	}
	w.status, w.begun = status, true
	w.ResponseWriter.WriteHeader(status)
}

// Write passes body on. The status is 200 unless WriteHeader was called.
func (w *statusWriter) Write(body []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(body)
}

// Unwrap gives http.ResponseController what it needs to flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
