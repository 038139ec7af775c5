package lookup

import (
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// silentAfter is how many questions in a row a name server leaves
	// unanswered before it is set aside: one lost, and tried again, is none
	// of its faults.
	silentAfter = 3
	// minAside and maxAside bound the time between two trials of a server that
	// was set aside. It doubles from the one to the other.
	minAside = time.Second
	maxAside = 30 * time.Second
)

// errAside is that all name servers are set aside, so that none was asked.
var errAside = errors.New("lookup: no name server answers at present")

// silences knows which name servers keep silent. Those are set aside: nobody
// waits for them, until they have answered a trial. It is safe for concurrent
// use.
type silences struct {
	mu      sync.Mutex
	servers map[netip.AddrPort]*silence
	outages uint64 // times that a server was set aside
}

// silence is what is known of one name server.
type silence struct {
	heard      time.Time // when it answered last; zero: never
	unanswered int       // questions in a row
	aside      bool
	trying     bool          // a trial is under way
	interval   time.Duration // from the last trial to the next
	due        time.Time     // when the next trial may go out
}

func newSilences() *silences {
	return &silences{servers: make(map[netip.AddrPort]*silence)}
}

// of returns what is known of a server. The caller holds mu.
func (s *silences) of(server netip.AddrPort) *silence {
	known := s.servers[server]
	if known == nil {
		known = new(silence)
		s.servers[server] = known
	}
	return known
}

// keep forgets all servers but these.
func (s *silences) keep(servers []netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.servers) <= len(servers) {
		return
	}
	for server := range s.servers {
		if !slices.Contains(servers, server) {
			delete(s.servers, server)
		}
	}
}

// mayAsk tells whether a server is to be asked. If not, and it is time for a
// trial, the caller has to make it.
func (s *silences) mayAsk(server netip.AddrPort) (ask, trial bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(server)
	if !known.aside {
		return true, false
	}
	trial = !known.trying && !time.Now().Before(known.due)
	known.trying = known.trying || trial
	return false, trial
}

// isAside reports whether a server is set aside.
func (s *silences) isAside(server netip.AddrPort) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of(server).aside
}

// answered notes that a server answers, whatever it said.
func (s *silences) answered(server netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(server)
	known.heard = time.Now()
	known.unanswered = 0
	known.aside = false
}

// unanswered notes that a question of that time was left unanswered. If this
// sets the server aside the caller has to make a trial.
//
// A server that has answered another question since is alive: what it cannot
// answer in time is slow elsewhere.
func (s *silences) unanswered(server netip.AddrPort, asked time.Time) (trial bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(server)
	if known.aside || asked.Before(known.heard) {
		return false
	}
	known.unanswered++
	if known.unanswered < silentAfter {
		return false
	}
	s.outages++
	known.aside, known.interval = true, minAside
	trial = !known.trying
	known.trying = true
	return trial
}

// tried notes that a trial has ended. When it was answered, answered has been
// called before.
func (s *silences) tried(server netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.of(server)
	known.trying = false
	known.due = time.Now().Add(known.interval)
	known.interval = min(2*known.interval, maxAside)
}

func (s *silences) stats() ServerStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := ServerStats{Outages: s.outages}
	for _, known := range s.servers {
		if known.aside {
			stats.SetAside++
		}
	}
	return stats
}
