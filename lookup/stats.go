package lookup

import (
	"time"
)

// Stats is what a Service has done since it was made.
type Stats struct {
	Servers ServerStats // name servers; zero when none is asked
	Names   SourceStats // by reverse DNS; zero when off
	Origins SourceStats // AS numbers by DNS; zero when off
	Table   TableStats  // AS numbers by table
}

// ServerStats counts name servers that are set aside for their silence.
type ServerStats struct {
	SetAside int    // now
	Outages  uint64 // times that one was set aside
}

// SourceStats counts what was asked of a name server, or was not, thanks to
// the cache.
type SourceStats struct {
	// Of the addresses that Annotate was asked for:
	Hits   uint64 // were answered from the cache
	Misses uint64 // were not
	Late   uint64 // were given up when the budget was used up

	// Of the lookups:
	Found    uint64 // brought an answer
	Absent   uint64 // brought that there is none
	Refused  uint64 // brought an answer that is not to be shown, such as a name with odd characters
	Failed   uint64 // ended in an error
	Timeouts uint64 // ended without any answer
	Unasked  uint64 // ended at once, as all name servers were set aside
	Dropped  uint64 // were never begun, as too many were waiting

	Entries int // answers in the cache, some of them stale
	Flying  int // lookups under way
	Waiting int // lookups waiting for their turn
}

// TableStats describes the table of AS numbers in use.
type TableStats struct {
	Prefixes int           // 0: no table
	Loaded   time.Time     // when loading began; zero without a table
	LoadTime time.Duration // how long it took
}

// Stats returns the counts so far.
func (s *Service) Stats() Stats {
	t := s.table.Load()
	stats := Stats{
		Servers: s.dns.silences.stats(),
		Table: TableStats{
			Prefixes: t.size(),
			Loaded:   t.loaded,
			LoadTime: t.loadTime,
		},
	}
	if s.names != nil {
		stats.Names = s.names.stats()
	}
	if s.origins != nil {
		stats.Origins = s.origins.stats()
	}
	return stats
}

func (s *source[V]) stats() SourceStats {
	s.mu.Lock()
	waiting, flying := len(s.waiting), len(s.flights)-len(s.waiting)
	s.mu.Unlock()
	return SourceStats{
		Hits:     s.hits.Load(),
		Misses:   s.misses.Load(),
		Late:     s.late.Load(),
		Found:    s.ended[found].Load(),
		Absent:   s.ended[absent].Load(),
		Refused:  s.ended[refused].Load(),
		Failed:   s.ended[failed].Load(),
		Timeouts: s.ended[silent].Load(),
		Unasked:  s.ended[unasked].Load(),
		Dropped:  s.dropped.Load(),
		Entries:  s.cache.EstimatedSize(),
		Flying:   flying,
		Waiting:  waiting,
	}
}

// count notes how one address of an Annotate was met.
func (s *source[V]) count(hit bool) {
	if hit {
		s.hits.Add(1)
	} else {
		s.misses.Add(1)
	}
}
