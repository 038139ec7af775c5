package metrics

import (
	"context"
	"net/netip"

	"probe-agent/prober"
	"probe-agent/traceroute"

	"github.com/prometheus/client_golang/prometheus"
)

// Tracer runs one traceroute; *prober.Engine is one.
type Tracer interface {
	TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error)
}

// Values of the labels family and outcome.
const (
	ipv4 = "ipv4"
	ipv6 = "ipv6"

	// Outcomes without a Result; others are the names of a traceroute.Stop.
	abandoned = "abandoned" // its request ended first
	failed    = "failed"
)

// traces are the numbers of ended traces.
type traces struct {
	total    *prometheus.CounterVec
	probes   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	rtt      *prometheus.HistogramVec
}

func newTraces() *traces {
	t := &traces{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "traces_total",
			Help: "Traces that ended, by method, family and outcome.",
		}, []string{"method", "family", "outcome"}),
		probes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "trace_probes_total",
			Help: "Probes of finished traces, by method and family; probe_agent_rtt_seconds_count has those answered.",
		}, []string{"method", "family"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "trace_duration_seconds",
			Help: "Time that finished traces took, by method.",
			// From a loopback target to silence at the longest wait.
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 45},
		}, []string{"method"}),
		rtt: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "rtt_seconds",
			Help: "RTTs of the answers of finished traces, by method and family.",
			// From the own network to the longest wait.
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"method", "family"}),
	}
	// What has not happened yet is 0, so that its first time shows as a rise.
	outcomes := []string{abandoned, failed}
	for _, stop := range []traceroute.Stop{traceroute.Reached, traceroute.Blocked, traceroute.Exhausted} {
		outcomes = append(outcomes, stop.String())
	}
	for _, method := range traceroute.Methods() {
		t.duration.WithLabelValues(method.String())
		for _, family := range []string{ipv4, ipv6} {
			t.probes.WithLabelValues(method.String(), family)
			t.rtt.WithLabelValues(method.String(), family)
			for _, outcome := range outcomes {
				t.total.WithLabelValues(method.String(), family, outcome)
			}
		}
	}
	return t
}

// Tracer returns a Tracer that counts what next does.
func (m *Metrics) Tracer(next Tracer) Tracer { return &countingTracer{next, m.traces} }

type countingTracer struct {
	next   Tracer
	traces *traces
}

// TraceFirst runs a trace and counts it when it has ended.
func (c *countingTracer) TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error) {
	result, err := c.next.TraceFirst(ctx, spec, targets, feed)
	target := targets[0]
	if result != nil && result.Spec.Target.IsValid() {
		target = result.Spec.Target
	}
	method, family := methodOf(spec.Method), familyOf(target)
	if err != nil {
		outcome := failed
		if ctx.Err() != nil {
			outcome = abandoned
		}
		c.traces.total.WithLabelValues(method, family, outcome).Inc()
		return result, err
	}
	c.traces.total.WithLabelValues(method, family, result.Stop.String()).Inc()
	c.traces.probes.WithLabelValues(method, family).Add(float64(len(result.Probes) + result.Counts.Beyond))
	c.traces.duration.WithLabelValues(method).Observe(result.Duration.Seconds())
	rtt := c.traces.rtt.WithLabelValues(method, family)
	for i := range result.Probes {
		if a := result.Probes[i].Answer; a != nil {
			rtt.Observe(a.RTT.Seconds())
		}
	}
	return result, nil
}

// methodOf returns the label of a Spec's method, which need not be valid.
func methodOf(m traceroute.Method) string {
	switch {
	case m == 0:
		return traceroute.ICMP.String()
	case !m.Valid():
		return "invalid"
	}
	return m.String()
}

func familyOf(target netip.Addr) string {
	if target.Unmap().Is6() {
		return ipv6
	}
	return ipv4
}
