package api

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"

	"probe-agent/access"
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
	service *Service
	ready   func() error
	log     *slog.Logger
	gate    *gate
	routes  chi.Router
}

// NewHandler returns a Handler.
func NewHandler(c HandlerConfig) *Handler {
	h := &Handler{service: c.Service, ready: c.Ready, log: c.Log, gate: newGate(c.Limiter)}
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
	door := newDoor(c)
	h.routes.Use(door.proxies.findClient, record(h.log, h.service.colos[0].Name(), observer, h.gate.limiter.Draining),
		recoverPanics(h.log), door.refusePages)
	h.routes.NotFound(refuseRoute)
	h.routes.MethodNotAllowed(h.refuseMethod)
	for _, base := range []string{"/client/v4", ""} {
		h.routes.With(requireAccount, door.authenticate, h.gate.admit).Post(base+traceroutePath, h.traceroute)
	}
	h.routes.With(door.authenticate, h.gate.admit).Post(nativePath, h.traces)
	lookedAt := map[string]http.HandlerFunc{"/healthz": h.healthz, "/readyz": h.readyz, contractPath: serveContract()}
	if c.Metrics != nil {
		lookedAt[metricsPath] = door.authenticate(uncached(c.Metrics)).ServeHTTP
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
	return h.gate.limiter.Drain()
}

// Cut ends the traces of the requests under way. They are answered with what
// they have: a trace that was cut short has failed with TimedOut.
func (h *Handler) Cut() { h.gate.cut() }

func (h *Handler) traceroute(w http.ResponseWriter, r *http.Request) {
	body, err := readBody(w, r)
	if err != nil {
		writeError(w, r, err)
		return
	}
	req, err := h.service.Decode(body)
	if err != nil {
		writeError(w, r, err)
		return
	}
	exchangeOf(r).targets = len(req.Targets)
	answer, err := h.service.Run(r.Context(), req)
	if err != nil {
		writeError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
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
	writeError(w, r, refusal(http.StatusNotFound, codeRoute, "no such route; traceroutes are at /accounts/{account_id}/diagnostics/traceroute, with an account id of 1 to 32 letters, digits, - and _, and at /v1/traces"))
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
	writeError(w, r, refusal(http.StatusMethodNotAllowed, codeMethod, "method not allowed; use "+strings.Join(allowed, " or ")))
}

// writeError answers with the refusal that err is. Any other error means that
// the request was abandoned: there is no answer then, and record drops the
// connection.
func writeError(w http.ResponseWriter, r *http.Request, err error) {
	refused, ok := errors.AsType[*RequestError](err)
	if !ok {
		exchangeOf(r).abandoned = true
		return
	}
	exchangeOf(r).code = refused.Faults[0].Code
	refused.write(w)
}

// writeJSON writes a whole answer. An error of writing means that the client
// has gone, which the server notices by itself.
func writeJSON(w http.ResponseWriter, status int, answer any) {
	body := &wholeBody{to: w, status: status}
	encoder := json.NewEncoder(body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(answer); err != nil {
		panic(err) // a type without JSON form: a bug
	}
}

// wholeBody is the body of an answer that an encoder writes at once, when all of
// it is encoded: until then there may be another answer.
type wholeBody struct {
	to     http.ResponseWriter
	status int
}

func (b *wholeBody) Write(body []byte) (int, error) {
	b.to.Header().Set("Content-Type", "application/json")
	b.to.Header().Set("Cache-Control", "no-store")
	b.to.WriteHeader(b.status)
	_, _ = b.to.Write(body)
	return len(body), nil
}
