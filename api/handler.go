package api

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"probe-agent/access"
	"probe-agent/api/body"
	"probe-agent/api/envelope"
	"probe-agent/quota"
)

// traceroutePath is the endpoint below each base path.
const traceroutePath = "/accounts/{account_id}/diagnostics/traceroute"

// HandlerConfig is what a Handler works with.
type HandlerConfig struct {
	Service *Service
	// Ready returns nil when traces can be made, otherwise why not. Nil means
	// always ready. Safe for concurrent use.
	Ready func() error
	Log   *slog.Logger // nil: slog.Default()
	// Limiter limits what is asked, by the access.Principal that asks. Nil: one
	// with quota.Default.
	Limiter  *quota.Limiter
	Observer Observer     // nil: nobody watches
	Metrics  http.Handler // serves GET /metrics; nil: there is no such route

	// Credentials say who may ask. Without any in it, everybody may who
	// reaches the agent, which must be on loopback then (CheckListen), but for
	// web pages. Nil: who reaches the Handler is the caller's business alone.
	Credentials *access.Registry
	Proxies     *Proxies // nil: no proxy is trusted
	// ClientCertificates tells whether every client must have shown a verified
	// certificate. Safe for concurrent use. Nil: none need.
	ClientCertificates func() bool
}

// Handler serves the HTTP API. Every answer that it gives, whatever was asked,
// is in the envelope of the contract; all but those of Metrics, live streams
// and the contract itself.
type Handler struct {
	service   *Service
	ready     func() error
	log       *slog.Logger
	admission *admission
	routes    chi.Router
}

// NewHandler returns a Handler.
func NewHandler(c HandlerConfig) *Handler {
	h := &Handler{service: c.Service, ready: c.Ready, log: c.Log, admission: newAdmission(c.Limiter)}
	if h.ready == nil {
		h.ready = func() error { return nil }
	}
	if h.log == nil {
		h.log = slog.Default()
	}
	h.routes = chi.NewRouter()
	observer := c.Observer
	if observer == nil {
		observer = unobserved{}
	}
	auth := newAuthenticator(c)
	h.routes.Use(auth.proxies.findClient, record(h.log, h.service.colos[0].Name(), observer, h.admission.limiter.Draining),
		recoverPanics(h.log), auth.refusePages)
	h.routes.NotFound(refuseRoute)
	h.routes.MethodNotAllowed(h.refuseMethod)
	for _, base := range []string{"/client/v4", ""} {
		h.routes.With(requireAccount, auth.authenticate, h.admission.admit).Post(base+traceroutePath, h.traceroute)
	}
	h.routes.With(auth.authenticate, h.admission.admit).Post(nativePath, h.traces)
	lookedAt := map[string]http.HandlerFunc{"/healthz": h.healthz, "/readyz": h.readyz, contractPath: serveContract()}
	if c.Metrics != nil {
		lookedAt[metricsPath] = auth.authenticate(uncached(c.Metrics)).ServeHTTP
	}
	for path, serve := range lookedAt {
		h.routes.Get(path, serve)
		h.routes.Head(path, serve)
	}
	return h
}

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.routes.ServeHTTP(w, r) }

// Drain refuses traceroute requests from now on, with 503, and makes readyz
// say so. Requests under way go on; the channel is closed when the last of
// them has been answered. Calling it again returns the same channel.
func (h *Handler) Drain() <-chan struct{} {
	return h.admission.limiter.Drain()
}

// Cut ends the traces of the requests under way. They are answered with what
// they have: a trace that was cut short has failed with TimedOut.
func (h *Handler) Cut() { h.admission.cut() }

func (h *Handler) traceroute(w http.ResponseWriter, r *http.Request) {
	text, err := body.Read(w, r)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	req, err := h.service.Decode(text)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	envelope.RecordOf(r.Context()).Targets = len(req.Targets)
	answer, err := h.service.Run(r.Context(), req)
	if err != nil {
		envelope.WriteError(w, r, err)
		return
	}
	answer.write(w)
}

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
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
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
