package main

import (
	"context"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/certificate"
	"probe-agent/internal/daemon"
	"probe-agent/internal/hostaddr"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/metrics"
	"probe-agent/internal/pulse"
	"probe-agent/internal/rawsock"
	"probe-agent/lookup"
	"probe-agent/policy"
	"probe-agent/prober"
	"probe-agent/quota"
)

// agent is what runs behind serve. Its components are opened as the settings
// say, and put in order by the parts; see reload.go.
type agent struct {
	log      logger
	settings *settings // that it started with
	inUse    *settings // of the last reload, nil while it starts
	files    *inputfile.Opener

	engine  *prober.Engine
	local   *api.Local
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
	if a.engine, a.sockets, err = openEngine(c.socketFlags, prober.Options{}); err != nil {
		return err
	}
	logStatus(a.log.Logger, a.sockets())
	if a.names, err = lookup.New(ctx, lookup.Config{Names: lookup.Mode(c.Names), OriginZones: c.originZones()}); err != nil {
		return err
	}
	if a.host, err = hostaddr.Open(); err != nil {
		return err
	}
	a.policy.SetHost(a.host.Addrs())
	if a.limiter, err = quota.New(c.limits()); err != nil {
		return err
	}
	var expires func() time.Time
	if c.TLSCert != "" {
		a.certificate = certificate.NewStore(a.files) // the part puts one in use
		expires = func() time.Time { return a.certificate.Current().Expires() }
	}
	a.numbers = metrics.New(metrics.Config{
		Engine: a.engine.Totals, Sockets: a.sockets, Lookup: a.names.Stats, Limiter: a.limiter.Stats,
		CertificateExpires: expires, Build: metricsBuild(), Log: a.log.Logger,
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
	a.local = &api.Local{ColoName: string(a.settings.Colo), CityName: city, Tracer: a.numbers.Tracer(a.engine), Resolver: a.names, Policy: a.numbers.Policy(&a.policy)}
	service, err := api.New(api.Config{
		Colos:     []api.Colo{a.local},
		Annotator: a.names,
	})
	if err != nil {
		return nil, err
	}
	return api.NewHandler(api.HandlerConfig{
		Service: service, Limiter: a.limiter, Log: a.log.Logger, Observer: a.numbers, Metrics: a.numbers,
		Credentials: a.credentials, Proxies: a.proxies, ClientCertificates: a.asksForCertificates,
	}), nil
}

// serve serves until a signal comes.
func (a *agent) serve(signals *daemon.Signals, args []string) error {
	for _, s := range a.servers {
		a.log.Info("listening", "address", s.Listener.Addr().String(), "server", s.Name, "colo", string(a.settings.Colo))
	}
	reloader := daemon.Reloader[*settings]{
		Read:    func(ctx context.Context) (*settings, error) { return readSettings(ctx, a.files, args) },
		Parts:   a.parts(),
		Started: a.settings,
		Fixed:   fixedSettings,
	}
	err := daemon.Run(daemon.Config{
		Log:     a.log.Logger,
		Signals: signals,
		Servers: a.servers,
		Watch: []func(context.Context){
			a.watchHost,
			func(ctx context.Context) { watchLosses(ctx, a.log.Logger, a.sockets) },
			a.watchCertificate,
		},
		Reload: func(ctx context.Context) (waiting []string, err error) {
			err = loading(func() (err error) {
				waiting, err = reloader.Reload(ctx)
				return err
			})
			a.numbers.Reloaded(err == nil)
			return waiting, err
		},
		Healthy: pulse.New(a.engine).Check,
		Drain:   a.handler.Drain,
		Grace:   time.Duration(a.settings.ShutdownGrace),
		Cut:     a.handler.Cut,
	})
	if err == nil {
		a.log.Info("stopped")
	}
	return err
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

// metricsBuild is what the metrics say of this binary.
func metricsBuild() metrics.Build {
	info, _ := debug.ReadBuildInfo()
	b := buildOf(info)
	return metrics.Build{Version: b.Version, Commit: b.Commit, Go: b.Go}
}

// hostname is the place of an agent that was not told its place.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
