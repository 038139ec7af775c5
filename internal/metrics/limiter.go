package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"probe-agent/quota"
)

func newLimiterReading(read func() quota.Stats) prometheus.Collector {
	type stats = quota.Stats
	r := &reading[stats]{read: read}
	r.gauge("room_requests", "Requests that have been let in, waiting or not.",
		func(s *stats) float64 { return float64(s.Admitted) })
	r.gauge("room_requests_waiting", "Requests that have been let in and wait for their first trace.",
		func(s *stats) float64 { return float64(s.Waiting) })
	r.gauge("room_traces_running", "Traces in use of those that may run at a time.",
		func(s *stats) float64 { return float64(s.Running) })
	r.gauge("room_tokens_remembered", "Credentials whose rate of requests is being kept.",
		func(s *stats) float64 { return float64(s.Tokens) })
	r.counter("room_waits_total", "Traces that had to wait for others to end.",
		func(s *stats) uint64 { return s.Waits })
	r.add("room_wait_seconds_total", "Time that traces waited for others to end, all waits together.", prometheus.CounterValue, "", byLabel[stats]{
		"": func(s *stats) float64 { return s.Waited.Seconds() },
	})
	r.extra = newAccountSeries()
	return r
}

// accountSeries are the numbers of accounts, which come and go. How many there
// are is bounded where they are counted.
type accountSeries struct{ requests, traces, refusals *prometheus.Desc }

func newAccountSeries() *accountSeries {
	name := func(name string) string { return prometheus.BuildFQName(namespace, "", name) }
	return &accountSeries{
		requests: prometheus.NewDesc(name("account_requests_total"), "Requests let in, by account.", []string{"account"}, nil),
		traces:   prometheus.NewDesc(name("account_traces_total"), "Traces begun, by account.", []string{"account"}, nil),
		refusals: prometheus.NewDesc(name("account_refusals_total"), "Requests refused by a limit, by account and limit.", []string{"account", "reason"}, nil),
	}
}

func (a *accountSeries) describe(into chan<- *prometheus.Desc) {
	into <- a.requests
	into <- a.traces
	into <- a.refusals
}

func (a *accountSeries) collect(s *quota.Stats, into chan<- prometheus.Metric) {
	for i := range s.Accounts {
		account := &s.Accounts[i]
		label := accountLabel(account.Account)
		into <- prometheus.MustNewConstMetric(a.requests, prometheus.CounterValue, float64(account.Requests), label)
		into <- prometheus.MustNewConstMetric(a.traces, prometheus.CounterValue, float64(account.Traces), label)
		for reason, n := range account.Refused {
			into <- prometheus.MustNewConstMetric(a.refusals, prometheus.CounterValue, float64(n), label, quota.Reason(reason).String())
		}
	}
}

func accountLabel(account string) string {
	switch account {
	case "":
		return nobody
	case quota.OtherAccounts:
		return others
	}
	return account
}
