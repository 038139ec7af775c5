package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"probe-agent/access"
	"probe-agent/api/cloudflare"
	"probe-agent/api/envelope"
	v1 "probe-agent/api/v1"
	"probe-agent/quota"
	"probe-agent/service"
)

// traceroutePath is the compatible endpoint below each base path.
const traceroutePath = "/accounts/{account_id}/diagnostics/traceroute"

// Config is what a Handler works with.
type Config struct {
	Service *service.Service
	Name    string // of the agent, in the ids of requests; empty: that of the first colo
	// Ready returns nil when traces can be made, otherwise why not. Nil means
	// always ready. Safe for concurrent use.
	Ready func() error
	Log   *slog.Logger // nil: slog.Default()
	// Limiter limits requests, by the access.Principal that makes them. Nil: one
	// with quota.Default.
	Limiter  *quota.Limiter
	Kept     v1.Limits    // of traces that have ended; the zero value keeps none
	Observer Observer     // nil: nobody watches
	Metrics  http.Handler // serves GET /metrics; nil: there is no such route

	// Credentials identify callers. Without any in it, everybody who reaches the
	// agent may use it, which must be on loopback then (CheckListen), but for
	// web pages. Nil: who reaches the Handler is the caller's business alone.
	Credentials *access.Registry
	Proxies     *Proxies // nil: no proxy is trusted
	// ClientCertificates reports whether every client must have shown a verified
	// certificate. Safe for concurrent use. Nil: none need.
	ClientCertificates func() bool
}

// Handler serves the HTTP APIs. Every answer, to whatever request, is in the
// envelope of the contract; all but those of Metrics, live streams, 204 and the
// contract itself.
type Handler struct {
	service *service.Service
	ready   func() error
	limiter *quota.Limiter
	traces  *v1.Handler
	routes  chi.Router
}

// New returns a Handler.
func New(c Config) *Handler {
	if c.Ready == nil {
		c.Ready = func() error { return nil }
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Name == "" {
		c.Name = c.Service.Colos()[0].Name
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.Limiter == nil {
		var err error
		if c.Limiter, err = quota.New(quota.Default()); err != nil {
			panic(err) // the defaults are in their own ranges
		}
	}
	h := &Handler{
		service: c.Service, ready: c.Ready, limiter: c.Limiter,
		traces: v1.New(c.Service, c.Kept, c.Log), routes: chi.NewRouter(),
	}
	h.mount(c)
	return h
}

// mount makes the routes.
func (h *Handler) mount(c Config) {
	auth, limits := newAuthenticator(c), admission{h.limiter}
	h.routes.Use(auth.proxies.findClient, recordRequests(c.Log, c.Name, c.Observer, h.limiter.Draining), catchPanics(c.Log), auth.refusePages)
	h.routes.NotFound(refuseRoute)
	h.routes.MethodNotAllowed(h.refuseMethod)

	compatible := limits.admit(cloudflare.New(h.service).Traceroute)
	for _, base := range []string{"/client/v4", ""} {
		h.routes.With(requireAccount, auth.authenticate).Post(base+traceroutePath, compatible)
	}
	native := h.routes.With(auth.authenticate)
	native.Post(v1.Prefix, limits.admit(h.traces.Create))
	native.Get(v1.Prefix+"/{trace_id}", limits.count(traceRoute(h.traces.Get)))
	native.Head(v1.Prefix+"/{trace_id}", limits.count(traceRoute(h.traces.Get)))
	native.Get(v1.Prefix+"/{trace_id}/events", limits.count(traceRoute(h.traces.Events)))
	native.Delete(v1.Prefix+"/{trace_id}", traceRoute(h.traces.Cancel)) // whatever the rate: it ends what costs

	readOnly := map[string]http.HandlerFunc{"/healthz": h.healthz, "/readyz": h.readyz, contractPath: serveContract()}
	if c.Metrics != nil {
		readOnly[metricsPath] = auth.authenticate(uncached(c.Metrics)).ServeHTTP
	}
	for path, serve := range readOnly {
		h.routes.Get(path, serve)
		h.routes.Head(path, serve)
	}
}

// traceRoute calls serve with the id of the trace in the path.
func traceRoute(serve func(w http.ResponseWriter, r *http.Request, id string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { serve(w, r, chi.URLParam(r, "trace_id")) }
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.routes.ServeHTTP(w, r) }

// Keep replaces the limits of the traces that are kept after they have ended, and
// drops what is over them.
func (h *Handler) Keep(limits v1.Limits) { h.traces.SetLimits(limits) }

// Kept returns how many requests of traces are kept after they have ended, and
// the bytes that they take.
func (h *Handler) Kept() (traces int, bytes int64) { return h.traces.Kept() }

// Drain refuses new traces from now on, with 503, and makes readyz say so.
// Requests under way go on, detached ones included; the channel is closed when
// the last of them has ended. Calling it again returns the same channel.
func (h *Handler) Drain() <-chan struct{} { return h.limiter.Drain() }

// Cut ends the traces under way. Their requests are answered with what they have:
// a trace that was cut short has failed with traceroute.TimedOut.
func (h *Handler) Cut() { h.service.Cut() }

// requireAccount passes requests whose account id has the right form.
func requireAccount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if access.CheckAccount(chi.URLParam(r, "account_id")) != nil {
			refuseRoute(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func refuseRoute(w http.ResponseWriter, r *http.Request) {
	envelope.WriteError(w, r, envelope.NewError(http.StatusNotFound, envelope.CodeRoute, "no such route; traceroutes are at /accounts/{account_id}/diagnostics/traceroute, with an account id of 1 to 32 letters, digits, - and _, and at /v1/traces"))
}

// refuseMethod serves paths that exist, with other methods. chi also sends
// methods that it does not know here, whatever their path.
func (h *Handler) refuseMethod(w http.ResponseWriter, r *http.Request) {
	path := r.URL.RawPath
	if path == "" {
		path = r.URL.Path
	}
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete} {
		if h.routes.Match(chi.NewRouteContext(), method, path) {
			allowed = append(allowed, method)
		}
	}
	if len(allowed) == 0 {
		refuseRoute(w, r)
		return
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	envelope.WriteError(w, r, envelope.NewError(http.StatusMethodNotAllowed, envelope.CodeMethod, "method not allowed; use "+strings.Join(allowed, " or ")))
}
