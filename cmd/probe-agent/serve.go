package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"probe-agent/api"
	"probe-agent/internal/metrics"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
)

// shutdownGrace is how long running requests get to finish after the first
// signal: ample for a usual trace, and below the 30 s after which Kubernetes
// kills.
const shutdownGrace = 20 * time.Second

// gcPercent is Go's GOGC for a daemon whose traces come and go: its live heap
// is small, and collecting it each time it has doubled cost a twentieth of the
// agent's CPU at full rate.
const gcPercent = 300

type serveCommand struct {
	Config      configFile    `placeholder:"FILE" help:"YAML file with any of the flags below as keys. A flag wins over its environment variable, and that over the file."`
	Listen      listenAddress `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (${default}). Loopback only, as long as no credentials are configured."`
	Colo        coloName      `default:"loc01" placeholder:"NAME" help:"Short name of this place, which requests select by and answers show (${default})."`
	City        string        `placeholder:"TEXT" help:"This place in words, as answers show it. Default: the host name."`
	Rate        packetRate    `default:"10000" placeholder:"PPS" help:"Most probes a second, all traces together (${default}). 0 lifts the limit."`
	NearHopRate packetRate    `default:"500" placeholder:"PPS" help:"Most probes a second to each of the first three TTLs, whose routers every trace shares (${default}). 0 lifts the limit."`
	PrefixRate  packetRate    `default:"1000" placeholder:"PPS" help:"Most probes within any second to one destination prefix, a /24 of IPv4 or a /48 of IPv6, all traces together (${default}). 0 lifts the limit."`
	LogFormat   logFormat     `default:"text" placeholder:"text|json" help:"Form of the log on standard error (${default})."`
	LogLevel    logLevel      `default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (${default})."`
	nameFlags
	socketFlags
}

// Help is the long description.
func (*serveCommand) Help() string {
	return "SIGTERM or SIGINT ends the agent: it refuses further requests and gives running ones " +
		shutdownGrace.String() + " to finish. A second signal ends it at once.\n\n" +
		"Exit code: 0 ended by a signal, 2 error."
}

// Run serves until a signal comes.
func (c *serveCommand) Run(t terminal) error {
	if err := api.CheckListen(string(c.Listen), false); err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	log := newLogger(t.err, c.LogFormat, c.LogLevel)
	signalled, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()

	engine, status, err := openEngine(c.socketFlags, prober.Options{
		Rate: float64(c.Rate), NearHopRate: float64(c.NearHopRate), PrefixRate: float64(c.PrefixRate),
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	logStatus(log, status())
	go watchLosses(signalled, log, status)

	names, err := c.open(signalled)
	if err != nil {
		return err
	}
	defer names.Close()
	numbers := metrics.New(metrics.Config{
		Engine: engine.Totals, Sockets: status, Lookup: names.Stats, Build: metricsBuild(), Log: log,
	})
	handler, err := c.handler(engine, names, numbers, log)
	if err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(signalled, "tcp", string(c.Listen))
	if err != nil {
		return fmt.Errorf("listening on %s: %w", c.Listen, err)
	}
	log.Info("listening", "address", listener.Addr().String(), "colo", string(c.Colo))

	server := api.NewServer(handler, log)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-signalled.Done():
	}
	// From here on a signal has its usual effect again: it ends the process.
	release()
	log.Info("shutting down", "grace", shutdownGrace)
	return shutDown(server, handler.Drain(), log)
}

func (c *serveCommand) handler(tracer api.Tracer, names api.Annotator, numbers *metrics.Metrics, log *slog.Logger) (*api.Handler, error) {
	city := c.City
	if city == "" {
		city = hostname()
	}
	service, err := api.New(api.Config{
		Colos:     []api.Colo{&api.Local{ColoName: string(c.Colo), CityName: city, Tracer: numbers.Tracer(tracer)}},
		Annotator: names,
	})
	if err != nil {
		return nil, err
	}
	return api.NewHandler(api.HandlerConfig{Service: service, Log: log, Observer: numbers, Metrics: numbers}), nil
}

// shutDown lets running requests finish, and ends those that take too long.
// Until they are done the listener stays open, so that whoever comes meanwhile
// is told to try elsewhere instead of finding a closed door.
func shutDown(server *http.Server, drained <-chan struct{}, log *slog.Logger) error {
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	select {
	case <-drained:
	case <-grace.Done():
	}
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		log.Warn("requests were cut off", "grace", shutdownGrace)
		err = server.Close()
	}
	if err != nil {
		return fmt.Errorf("shutting down: %w", err)
	}
	log.Info("stopped")
	return nil
}

// logStatus says what the agent has to do without.
func logStatus(log *slog.Logger, status rawsock.Status) {
	for family, err := range map[string]error{"IPv4": status.IPv4, "IPv6": status.IPv6} {
		if err != nil {
			log.Warn("family cannot be traced", "family", family, "error", err)
		}
	}
	log.Info("sockets open",
		"transmit_stamps", status.StampMode, "receive_stamps", status.ReceiveStamps, "receive_buffer", status.ReceiveBuffer)
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
