package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// requests are the numbers of the HTTP API.
type requests struct {
	total    *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

func newRequests() *requests {
	return &requests{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "http_requests_total",
			Help: "Requests served, by route and status; 499 when the client went away.",
		}, []string{"route", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "http_request_duration_seconds",
			Help: "Time from a request's header to the end of its answer, by route.",
			// From a refusal to the longest that a client waits.
			Buckets: []float64{.001, .005, .025, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 45, 60},
		}, []string{"route"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "http_requests_in_flight",
			Help: "Requests under way, the scrape itself included.",
		}),
	}
}

// Begin counts a request in. The function that it returns counts it out; route
// is the pattern that the request's path matched, empty when there was none.
func (m *Metrics) Begin() (end func(route string, status int, took time.Duration)) {
	r := m.requests
	r.inFlight.Inc()
	return func(route string, status int, took time.Duration) {
		r.inFlight.Dec()
		if route == "" {
			route = "none"
		}
		r.total.WithLabelValues(route, strconv.Itoa(status)).Inc()
		r.duration.WithLabelValues(route).Observe(took.Seconds())
	}
}
