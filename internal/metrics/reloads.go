package metrics

import "github.com/prometheus/client_golang/prometheus"

// reloads are the numbers of the configuration.
type reloads struct {
	total *prometheus.CounterVec
	good  prometheus.Gauge
	at    prometheus.Gauge
}

func newReloads() *reloads {
	r := &reloads{
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "config_reloads_total",
			Help: "Reloads of the configuration by result; what was refused left the old one in use.",
		}, []string{"result"}),
		good: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "config_last_reload_successful",
			Help: "Whether the configuration that was last read is in use: 1 or 0.",
		}),
		at: prometheus.NewGauge(prometheus.GaugeOpts{
			Namespace: namespace, Name: "config_last_reload_success_timestamp_seconds",
			Help: "When the configuration in use was read.",
		}),
	}
	for _, result := range []string{"applied", "refused"} {
		r.total.WithLabelValues(result)
	}
	r.good.Set(1)
	r.at.SetToCurrentTime()
	return r
}

// Reloaded counts a reload of the configuration, which was put in use or
// refused.
func (m *Metrics) Reloaded(applied bool) {
	if !applied {
		m.reloads.total.WithLabelValues("refused").Inc()
		m.reloads.good.Set(0)
		return
	}
	m.reloads.total.WithLabelValues("applied").Inc()
	m.reloads.good.Set(1)
	m.reloads.at.SetToCurrentTime()
}
