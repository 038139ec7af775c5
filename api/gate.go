package api

import (
	"net/http"
	"sync/atomic"
)

// DefaultMaxRequests bounds the traceroute requests served at one time. Each
// may hold a body of 1 MiB and, per colo, ten traces; the engine's own pace
// makes more of them only slower, not more useful.
const DefaultMaxRequests = 256

// retryAfter tells a refused client when to come back, in seconds: most
// requests that were in its way are done by then.
const retryAfter = "5"

// gate bounds how many requests are past it.
type gate struct {
	limit    int64
	inside   atomic.Int64
	draining atomic.Bool
}

// admit passes a request or refuses it at once. It never queues: a queued
// request would spend its client's patience without being served.
func (g *gate) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer g.inside.Add(-1)
		switch inside := g.inside.Add(1); {
		case g.draining.Load():
			writeError(w, r, refusal(http.StatusServiceUnavailable, codeUnavailable, "the agent is shutting down"))
		case inside > g.limit:
			writeError(w, r, refusal(http.StatusServiceUnavailable, codeUnavailable, "the agent has all the requests that it can serve"))
		default:
			next.ServeHTTP(w, r)
		}
	})
}
