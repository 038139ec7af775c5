package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"probe-agent/lookup"
)

func newLookupReading(read func() lookup.Stats) prometheus.Collector {
	type stats = lookup.Stats
	r := &reading[stats]{read: read}
	for _, source := range []struct {
		prefix, what string
		of           func(*stats) *lookup.SourceStats
	}{
		{"lookup_names_", "names", func(s *stats) *lookup.SourceStats { return &s.Names }},
		{"lookup_origins_", "AS numbers by DNS", func(s *stats) *lookup.SourceStats { return &s.Origins }},
	} {
		addSource(r, source.prefix, source.what, source.of)
	}
	r.gauge("lookup_servers_set_aside", "Name servers that are not asked at present, as they left questions unanswered.",
		func(s *stats) float64 { return float64(s.Servers.SetAside) })
	r.counter("lookup_server_outages_total", "Times that a name server was set aside for leaving questions unanswered.",
		func(s *stats) uint64 { return s.Servers.Outages })
	r.gauge("lookup_table_prefixes", "Prefixes in the table of AS numbers.",
		func(s *stats) float64 { return float64(s.Table.Prefixes) })
	r.gauge("lookup_table_loaded_timestamp_seconds", "When the table of AS numbers in use was loaded; 0 without one.",
		func(s *stats) float64 {
			if s.Table.Loaded.IsZero() {
				return 0
			}
			return float64(s.Table.Loaded.UnixNano()) / 1e9
		})
	r.gauge("lookup_table_load_seconds", "How long the loading of the table of AS numbers took.",
		func(s *stats) float64 { return s.Table.LoadTime.Seconds() })
	return r
}

// addSource adds what one kind of lookup counts.
func addSource[S any](r *reading[S], prefix, what string, source func(*S) *lookup.SourceStats) {
	count := func(of func(*lookup.SourceStats) uint64) func(*S) float64 {
		return func(s *S) float64 { return float64(of(source(s))) }
	}
	size := func(of func(*lookup.SourceStats) int) func(*S) float64 {
		return func(s *S) float64 { return float64(of(source(s))) }
	}
	r.add(prefix+"cache_total", "Addresses asked for, by whether the cache had the answer: "+what+".", prometheus.CounterValue, "result", byLabel[S]{
		"hit":  count(func(s *lookup.SourceStats) uint64 { return s.Hits }),
		"miss": count(func(s *lookup.SourceStats) uint64 { return s.Misses }),
	})
	r.add(prefix+"late_total", "Addresses given up when the time for them was used up: "+what+".", prometheus.CounterValue, "", byLabel[S]{
		"": count(func(s *lookup.SourceStats) uint64 { return s.Late }),
	})
	r.add(prefix+"done_total", "Lookups by how they ended; dropped ones were never begun: "+what+".", prometheus.CounterValue, "result", byLabel[S]{
		"found":   count(func(s *lookup.SourceStats) uint64 { return s.Found }),
		"absent":  count(func(s *lookup.SourceStats) uint64 { return s.Absent }),
		"refused": count(func(s *lookup.SourceStats) uint64 { return s.Refused }),
		"failed":  count(func(s *lookup.SourceStats) uint64 { return s.Failed }),
		"timeout": count(func(s *lookup.SourceStats) uint64 { return s.Timeouts }),
		"unasked": count(func(s *lookup.SourceStats) uint64 { return s.Unasked }),
		"dropped": count(func(s *lookup.SourceStats) uint64 { return s.Dropped }),
	})
	r.gauge(prefix+"cache_entries", "Answers in the cache: "+what+".",
		size(func(s *lookup.SourceStats) int { return s.Entries }))
	r.gauge(prefix+"running", "Lookups under way: "+what+".",
		size(func(s *lookup.SourceStats) int { return s.Flying }))
	r.gauge(prefix+"waiting", "Lookups that wait for their turn: "+what+".",
		size(func(s *lookup.SourceStats) int { return s.Waiting }))
}
