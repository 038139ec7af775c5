package metrics

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// A reading is a Collector of numbers that something else keeps: it takes them
// all at one moment of each scrape.
type reading[S any] struct {
	read    func() S
	figures []figure[S]
	also    series[S] // nil: none
}

// series are those of a reading whose labels are known only when it is read.
type series[S any] interface {
	describe(into chan<- *prometheus.Desc)
	collect(now *S, into chan<- prometheus.Metric)
}

// figure is one series of a reading.
type figure[S any] struct {
	desc   *prometheus.Desc
	kind   prometheus.ValueType
	labels []string // values, in the order of desc
	of     func(*S) float64
}

// counter adds a number that only grows.
func (r *reading[S]) counter(name, help string, of func(*S) uint64) {
	r.add(name, help, prometheus.CounterValue, "", cases[S]{"": func(s *S) float64 { return float64(of(s)) }})
}

// gauge adds a number that comes and goes.
func (r *reading[S]) gauge(name, help string, of func(*S) float64) {
	r.add(name, help, prometheus.GaugeValue, "", cases[S]{"": of})
}

// cases are the figures of one metric by the value of its label.
type cases[S any] map[string]func(*S) float64

// add adds a metric with one label, or with none when label is empty.
func (r *reading[S]) add(name, help string, kind prometheus.ValueType, label string, by cases[S]) {
	var names []string
	if label != "" {
		names = []string{label}
	}
	desc := prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, names, nil)
	for value, of := range by {
		f := figure[S]{desc: desc, kind: kind, of: of}
		if label != "" {
			f.labels = []string{value}
		}
		r.figures = append(r.figures, f)
	}
}

// Describe implements prometheus.Collector.
func (r *reading[S]) Describe(into chan<- *prometheus.Desc) {
	for i := range r.figures {
		into <- r.figures[i].desc
	}
	if r.also != nil {
		r.also.describe(into)
	}
}

// Collect implements prometheus.Collector. The registry calls it on a goroutine
// of its own, where a panic would end the agent, so it becomes an error of the
// scrape.
func (r *reading[S]) Collect(into chan<- prometheus.Metric) {
	defer func() {
		if v := recover(); v != nil {
			into <- prometheus.NewInvalidMetric(r.figures[0].desc, fmt.Errorf("metrics: reading panicked: %v", v))
		}
	}()
	now := r.read()
	for i := range r.figures {
		f := &r.figures[i]
		into <- prometheus.MustNewConstMetric(f.desc, f.kind, f.of(&now), f.labels...)
	}
	if r.also != nil {
		r.also.collect(&now, into)
	}
}
