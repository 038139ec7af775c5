package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"probe-agent/prober"
	"probe-agent/traceroute"
)

func newEngineReading(read func() prober.Totals) prometheus.Collector {
	type totals = prober.Totals
	r := &reading[totals]{read: read}
	r.counter("probes_sent_total", "Probes handed to the network.",
		func(t *totals) uint64 { return t.Sent })
	r.counter("sends_put_off_total", "Sendings put off because the network took no more.",
		func(t *totals) uint64 { return t.Busy })
	r.counter("probes_refused_total", "Probes that the host refused to send.",
		func(t *totals) uint64 { return t.Refused })
	r.counter("receive_errors_total", "Failed reads of a receive queue.",
		func(t *totals) uint64 { return t.ReceiveErrors })
	r.add("replies_total", "Packets received, by what became of them.", prometheus.CounterValue, "fate", byLabel[totals]{
		"matched":   func(t *totals) float64 { return float64(t.Matched) },
		"duplicate": func(t *totals) float64 { return float64(t.Duplicate) },
		"late":      func(t *totals) float64 { return float64(t.Late) },
		"forged":    func(t *totals) float64 { return float64(t.Forged) },
		"foreign":   func(t *totals) float64 { return float64(t.Foreign) },
		"malformed": func(t *totals) float64 { return float64(t.Malformed) },
	})
	r.add("answers_total", "Answers of finished traces, by the clock that their RTT rests on.", prometheus.CounterValue, "clock", byLabel[totals]{
		traceroute.KernelClock.String():        func(t *totals) float64 { return float64(t.KernelClock) },
		traceroute.KernelReceiveClock.String(): func(t *totals) float64 { return float64(t.KernelReceiveClock) },
		traceroute.UserClock.String():          func(t *totals) float64 { return float64(t.UserClock) },
	})
	r.add("limiter_waits_total", "Probes put off because of a rate, each look that finds it used up: that of all probes, of a near hop, of a destination prefix.",
		prometheus.CounterValue, "limiter", byLabel[totals]{
			"rate":   func(t *totals) float64 { return float64(t.RateWaits) },
			"near":   func(t *totals) float64 { return float64(t.NearWaits) },
			"prefix": func(t *totals) float64 { return float64(t.PrefixWaits) },
		})
	r.gauge("traces_running", "Traces under way.",
		func(t *totals) float64 { return float64(t.Running) })
	r.gauge("flow_names_held", "Names of flows that are not free: of traces under way, and of those whose last answers may yet come.",
		func(t *totals) float64 { return float64(t.NamesHeld) })
	return r
}
