package agent

import (
	"context"
	"net/http"
	"net/netip"
	"os"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/colo"
	"probe-agent/internal/certificate"
	"probe-agent/internal/daemon"
	"probe-agent/internal/hostaddr"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/metrics"
	"probe-agent/internal/rawsock"
	"probe-agent/internal/settings"
	"probe-agent/lookup"
	"probe-agent/policy"
	"probe-agent/prober"
	"probe-agent/quota"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// agent is what runs behind serve. Its components are opened as the settings
// say, and put in order by the parts; see parts.go.
type agent struct {
	log      logger
	build    metrics.Build
	settings *settings.Values // that it started with
	inUse    *settings.Values // of the last reload, nil while it starts
	files    *inputfile.Opener

	engine  *prober.Engine
	local   *colo.Local
	policy  policy.Policy
	lists   doNotProbe // that the policy was made of
	host    *hostaddr.Watcher
	sockets func() rawsock.Status
	names   *lookup.Service
	tables  lookup.Tables // that names uses
	numbers *metrics.Metrics
	limiter *quota.Limiter
	handler *api.Handler
	servers []daemon.Server

	credentials *access.Registry
	proxies     *api.Proxies
	certificate *certificate.Store // nil: plain HTTP
}

// open opens what the agent needs, all but what parts put in use. The caller
// closes the agent, also after an error.
func (a *agent) open(ctx context.Context) (err error) {
	c := a.settings
	// The rates are put in use before the first trace.
	sockets, err := c.Sockets()
	if err != nil {
		return err
	}
	if a.engine, a.sockets, err = OpenEngine(sockets, prober.Options{}); err != nil {
		return err
	}
	logStatus(a.log.Logger, a.sockets())
	if a.names, err = lookup.New(ctx, c.Lookup()); err != nil {
		return err
	}
	if a.host, err = hostaddr.Open(); err != nil {
		return err
	}
	a.policy.SetHost(a.host.Addrs())
	if a.limiter, err = quota.New(c.Limits()); err != nil {
		return err
	}
	var expires func() time.Time
	if c.TLSCert != "" {
		a.certificate = certificate.NewStore(a.files) // the part puts one in use
		expires = func() time.Time { return a.certificate.Current().Expires() }
	}
	a.numbers = metrics.New(metrics.Config{
		Engine: a.engine.Totals, Sockets: a.sockets, Lookup: a.names.Stats, Limiter: a.limiter.Stats, Kept: a.kept,
		CertificateExpires: expires, Build: a.build, Log: a.log.Logger,
	})
	a.warnOfPlainHTTP()
	if a.handler, err = a.newHandler(); err != nil {
		return err
	}
	listener, err := daemon.Listen(ctx, string(c.Listen))
	if err != nil {
		return err
	}
	server := api.NewServer(a.handler, a.log.Logger)
	if a.certificate != nil {
		server.TLSConfig = a.certificate.Config()
	}
	a.servers = append(a.servers, daemon.Server{Name: "the API", Listener: listener, HTTP: server})
	if err := a.openAdmin(ctx); err != nil {
		return err
	}
	return a.limitConnections()
}

// openAdmin opens what is for the operator alone. Health checks are the API's.
func (a *agent) openAdmin(ctx context.Context) error {
	if a.settings.AdminListen == "" {
		return nil
	}
	listener, err := daemon.Listen(ctx, string(a.settings.AdminListen))
	if err != nil {
		return err
	}
	admin := daemon.AdminHandler(map[string]http.Handler{
		"/metrics": a.numbers, "/healthz": a.handler, "/readyz": a.handler,
	})
	a.servers = append(a.servers, daemon.Server{
		Name: "admin", Listener: listener, HTTP: api.NewServer(api.GuardPages(admin), a.log.Logger),
	})
	return nil
}

func (a *agent) newHandler() (*api.Handler, error) {
	city := a.settings.City
	if city == "" {
		city = hostname()
	}
	a.local = colo.New(colo.Config{
		Info:   traceroute.Colo{Name: string(a.settings.Colo), City: city},
		Tracer: a.numbers.Tracer(a.engine), Resolver: a.names, Policy: a.numbers.Policy(&a.policy),
	})
	roster, err := service.NewRoster(a.local)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Service: service.New(service.Config{Roster: roster, Annotator: annotator{a.names}}),
		Limiter: a.limiter, Log: a.log.Logger, Observer: a.numbers, Metrics: a.numbers, Kept: a.settings.Kept(),
		Credentials: a.credentials, Proxies: a.proxies, ClientCertificates: a.asksForCertificates,
	}), nil
}

// kept is what the metrics show of traces that have ended.
func (a *agent) kept() metrics.Kept {
	traces, bytes := a.handler.Kept()
	return metrics.Kept{Traces: traces, Bytes: bytes}
}

// watchHost keeps the host's addresses in the policy current until ctx ends.
func (a *agent) watchHost(ctx context.Context) {
	a.host.Watch(ctx, func(addrs []netip.Prefix, err error) {
		if err != nil {
			a.log.Warn("the host's addresses cannot be read, the policy goes by those known", "error", err)
			return
		}
		a.policy.SetHost(addrs)
	})
}

// close closes what is open. Sockets that end with the process have nothing to
// tell.
func (a *agent) close() {
	for _, s := range a.servers {
		_ = s.Listener.Close()
	}
	if a.host != nil {
		a.host.Close()
	}
	if a.names != nil {
		a.names.Close()
	}
	if a.engine != nil {
		_ = a.engine.Close()
	}
}

// hostname is the place of an agent that was not told its place.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
