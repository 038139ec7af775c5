package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
)

// recoverPanics answers a request whose handler panicked, and logs why with
// the stack. Nothing has been written then: answers are written whole, last.
func recoverPanics(log *slog.Logger) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				v := recover()
				if v == nil {
					return
				}
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					exchangeOf(r).abandoned = true
					panic(v) // net/http's own way to drop a connection
				}
				stack := debug.Stack()
				if p, ok := v.(*coloPanic); ok {
					v, stack = p.value, p.stack
				}
				log.LogAttrs(r.Context(), slog.LevelError, "panic",
					slog.String("ray", exchangeOf(r).ray), slog.String("panic", fmt.Sprint(v)), slog.String("stack", string(stack)))
				writeError(w, r, refusal(http.StatusInternalServerError, codeInternal, "a fault of the agent; its log has it under the id in cf-ray"))
			}()
			next.ServeHTTP(w, r)
		})
	}
}
