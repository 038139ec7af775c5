package metrics

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"probe-agent/internal/rawsock"
	"probe-agent/lookup"
	"probe-agent/prober"
	"probe-agent/quota"
)

// namespace begins the name of every metric of ours.
const namespace = "probe_agent"

// Config says where numbers come from. Each function is called once a scrape,
// and must be safe for concurrent use; what is nil is not shown.
type Config struct {
	Engine  func() prober.Totals
	Sockets func() rawsock.Status
	Lookup  func() lookup.Stats
	Limiter func() quota.Stats
	Kept    func() Kept
	// CertificateExpires returns when the TLS certificate in use expires.
	CertificateExpires func() time.Time

	Build Build
	Log   *slog.Logger // nil: slog.Default()
}

// Build identifies the running binary.
type Build struct {
	Version, Commit, Go string
}

// Metrics are the numbers of one agent. All methods are safe for concurrent
// use.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler
	requests *requests
	askers   *askers
	traces   *traces
	reloads  *reloads
	verdicts *prometheus.CounterVec
}

// New returns the numbers of an agent that begins now.
func New(c Config) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(), requests: newRequests(), askers: newAskers(),
		traces: newTraces(), reloads: newReloads(), verdicts: newVerdicts(),
	}
	m.registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newBuildInfo(c.Build),
		m.requests.total, m.requests.duration, m.requests.inFlight, m.askers.total, m.verdicts,
		m.reloads.total, m.reloads.good, m.reloads.at,
		m.traces.total, m.traces.probes, m.traces.duration, m.traces.rtt,
	)
	if c.Engine != nil {
		m.registry.MustRegister(newEngineReading(c.Engine))
	}
	if c.Sockets != nil {
		m.registry.MustRegister(newSocketReading(c.Sockets), newSocketInfo(c.Sockets()))
	}
	if c.Lookup != nil {
		m.registry.MustRegister(newLookupReading(c.Lookup))
	}
	if c.Limiter != nil {
		m.registry.MustRegister(newLimiterReading(c.Limiter))
	}
	if c.Kept != nil {
		m.registry.MustRegister(newKeptReading(c.Kept))
	}
	if c.CertificateExpires != nil {
		m.registry.MustRegister(newCertificateReading(c.CertificateExpires))
	}
	log := c.Log
	if log == nil {
		log = slog.Default()
	}
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelError),
		// A number that cannot be had must not hide the others: they are
		// wanted most when something is wrong.
		ErrorHandling: promhttp.ContinueOnError,
	})
	return m
}

// ServeHTTP answers a scrape. Numbers that cannot be had are left out, and the
// reason is logged.
func (m *Metrics) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.handler.ServeHTTP(w, r) }

func newBuildInfo(b Build) prometheus.Collector {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "The running binary; always 1.",
		ConstLabels: prometheus.Labels{"version": b.Version, "commit": b.Commit, "go": b.Go},
	})
	info.Set(1)
	return info
}
