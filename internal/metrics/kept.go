package metrics

import "github.com/prometheus/client_golang/prometheus"

// Kept is what is kept of traces that have ended.
type Kept struct {
	Traces int // requests of traces
	Bytes  int64
}

func newKeptReading(read func() Kept) prometheus.Collector {
	r := &reading[Kept]{read: read}
	r.gauge("traces_kept", "Requests of traces that are kept after they have ended.", func(k *Kept) float64 { return float64(k.Traces) })
	r.gauge("traces_kept_bytes", "Memory that kept traces take.", func(k *Kept) float64 { return float64(k.Bytes) })
	return r
}
