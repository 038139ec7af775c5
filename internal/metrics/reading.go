package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"probe-agent/internal/panics"
)

// A reading is a Collector of numbers that something else keeps: it takes them
// all at one moment of each scrape.
type reading[S any] struct {
	read    func() S
	metrics []metric[S]
	extra   series[S] // nil: none
}

// series are those of a reading whose labels are known only when it is read.
type series[S any] interface {
	describe(into chan<- *prometheus.Desc)
	collect(now *S, into chan<- prometheus.Metric)
}

// metric is one series of a reading.
type metric[S any] struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // values, in the order of desc
	of     func(*S) float64
}

// counter adds a number that only grows.
func (r *reading[S]) counter(name, help string, of func(*S) uint64) {
	r.add(name, help, prometheus.CounterValue, "", byLabel[S]{"": func(s *S) float64 { return float64(of(s)) }})
}

// gauge adds a number that comes and goes.
func (r *reading[S]) gauge(name, help string, of func(*S) float64) {
	r.add(name, help, prometheus.GaugeValue, "", byLabel[S]{"": of})
}

// byLabel has the values of one metric by the value of its label.
type byLabel[S any] map[string]func(*S) float64

// add adds a metric with one label, or with none when label is empty.
func (r *reading[S]) add(name, help string, kind prometheus.ValueType, label string, by byLabel[S]) {
	var names []string
	if label != "" {
		names = []string{label}
	}
	desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, names, nil)
	for value, of := range by {
		f := metric[S]{desc: desc, kind: kind, of: of}
		if label != "" {
			f.labels = []string{value}
		}
		r.metrics = append(r.metrics, f)
	}
}

// Describe implements prometheus.Collector.
func (r *reading[S]) Describe(into chan<- *prometheus.Desc) {
	for i := range r.metrics {
		into <- r.metrics[i].desc
	}
	if r.extra != nil {
		r.extra.describe(into)
	}
}

// Collect implements prometheus.Collector. The registry calls it on a goroutine
// of its own, where a panic would end the agent, so it becomes an error of the
// scrape.
func (r *reading[S]) Collect(into chan<- prometheus.Metric) {
	if err := r.send(into); err != nil {
		into <- prometheus.NewInvalidMetric(r.metrics[0].desc, fmt.Errorf("metrics: reading: %w", err))
	}
}

// send sends the numbers as they are now. The error is a *panics.Error.
func (r *reading[S]) send(into chan<- prometheus.Metric) (err error) {
	defer panics.Catch(&err)
	now := r.read()
	for i := range r.metrics {
		f := &r.metrics[i]
		into <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(&now), f.labels...)
	}
	if r.extra != nil {
		r.extra.collect(&now, into)
	}
	return nil
}
