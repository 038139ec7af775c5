package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
)

// DefaultMaxRequests bounds the traceroute requests served at one time. Each
// may hold a body of 1 MiB and, per colo, ten traces; the engine's own pace
// makes more of them only slower, not more useful.
const DefaultMaxRequests = 256

// retryAfter tells a refused client when to come back, in seconds: most
// requests that were in its way are done by then.
const retryAfter = "5"

// errCut is the cause of the end of a request's context when the agent could
// not wait for its traces any longer.
var errCut = errors.New("api: the agent is shutting down")

// gate bounds how many requests are past it.
type gate struct {
	limit int
	idle  chan struct{}   // closed when draining and nobody is inside any more
	life  context.Context // ends when what is inside is cut off
	cut   context.CancelFunc

	mu       sync.Mutex // guards what follows
	inside   int
	draining bool
}

func newGate(limit int) *gate {
	g := &gate{limit: limit, idle: make(chan struct{})}
	g.life, g.cut = context.WithCancel(context.Background())
	return g
}

// admit passes a request or refuses it at once. It never queues: a queued
// request would spend its client's patience without being served.
func (g *gate) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if why := g.enter(); why != "" {
			writeError(w, r, refusal(http.StatusServiceUnavailable, codeUnavailable, why))
			return
		}
		defer g.leave()
		ctx, end := context.WithCancelCause(r.Context())
		defer end(nil)
		defer context.AfterFunc(g.life, func() { end(errCut) })()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// enter returns why a request is refused, "" when it is not.
func (g *gate) enter() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.draining:
		return "the agent is shutting down"
	case g.inside == g.limit:
		return "the agent has all the requests that it can serve"
	}
	g.inside++
	return ""
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.inside--; g.inside == 0 && g.draining {
		close(g.idle)
	}
}

// drain refuses every request from now on.
func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.draining {
		return
	}
	g.draining = true
	if g.inside == 0 {
		close(g.idle)
	}
}

func (g *gate) isDraining() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.draining
}

// wasCut reports whether ctx, a request's, ended because the agent does.
func wasCut(ctx context.Context) bool { return errors.Is(context.Cause(ctx), errCut) }
