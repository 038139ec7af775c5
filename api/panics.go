package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"

	"probe-agent/api/envelope"
)

// recoverPanics answers a request whose handler panicked, and logs why with
// the stack. Nothing has been written then: answers are written whole, last;
// those that are not see to their panics themselves.
func recoverPanics(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if dropsConnection(v) {
					envelope.RecordOf(r.Context()).Abandoned = true
					panic(v)
				}
				logPanic(log, r, v)
				envelope.WriteError(w, r, envelope.NewError(http.StatusInternalServerError, envelope.CodeInternal, faultOfAgent))
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// faultOfAgent is all that a client is told of a panic.
const faultOfAgent = "a fault of the agent; its log has it under the id in cf-ray"

// dropsConnection reports whether v is net/http's own way to drop a connection.
func dropsConnection(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// logPanic is called while the panic v is being recovered from.
func logPanic(log *slog.Logger, r *http.Request, v any) {
	stack := debug.Stack()
	if p, ok := v.(*coloPanic); ok {
		v, stack = p.value, p.stack
	}
	log.LogAttrs(r.Context(), slog.LevelError, "panic",
		slog.String("ray", envelope.RecordOf(r.Context()).RequestID), slog.String("panic", loggable(fmt.Sprint(v))), slog.String("stack", string(stack)))
}
