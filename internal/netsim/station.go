package netsim

import (
	"net/netip"
	"time"
)

// station is a node at work: what it counted, and what it has left to send.
type station struct {
	node *Node
	name Address // of the node when it has no list of addresses
	ttl  uint8   // that answers start with by default
	seed uint64

	arrivals int // packets that came to it, or would have
	turns    int // answers that took an address of the list
	answers  int // answers made, lost ones included
	returns  int // answers that passed it on their way home, or would have
	tokens   float64
	// connections are those that SYNs to open ports have begun.
	connections map[connection]halfOpen
	filled      time.Duration // when tokens was right
}

func newStation(n *Node, seed uint64) *station {
	s := &station{node: n, seed: seed}
	if n.RateLimit != nil {
		s.tokens = float64(n.RateLimit.Burst)
	}
	return s
}

// address returns the next of the node's own addresses.
func (s *station) address(ipv6 bool) netip.Addr {
	if len(s.node.Addresses) < 2 {
		return s.name.For(ipv6)
	}
	s.turns++
	return s.node.Addresses[(s.turns-1)%len(s.node.Addresses)].For(ipv6)
}

// loses counts a packet on its way here and says whether it is lost.
func (s *station) loses() bool {
	s.arrivals++
	return s.node.Loss.takes(s.seed, drawLoss, s.arrivals)
}

func (l *Loss) takes(seed uint64, purpose, n int) bool {
	return l.holds(n) || l.Chance > 0 && draw(seed, purpose, n) < l.Chance
}

// allows takes a token for an answer made at a time since the start.
func (s *station) allows(at time.Duration) bool {
	limit := s.node.RateLimit
	if limit == nil {
		return true
	}
	if at > s.filled {
		s.tokens = min(float64(limit.Burst), s.tokens+limit.Rate*(at-s.filled).Seconds())
		s.filled = at
	}
	// A token that filled up to 1 less a rounding error is a token.
	if s.tokens < 1-1e-9 {
		return false
	}
	s.tokens--
	return true
}

// lateness is what jitter and Late add to answer number n.
func (s *station) lateness(n int) time.Duration {
	var late time.Duration
	if s.node.Jitter > 0 {
		late = time.Duration(draw(s.seed, drawJitter, n) * float64(s.node.Jitter))
	}
	for i := range s.node.Late {
		if l := &s.node.Late[i]; l.empty() || l.holds(n) {
			late += l.By
		}
	}
	return late
}

// copies is how often answer number n is sent again, and how far apart.
func (s *station) copies(n int) (int, time.Duration) {
	d := s.node.Duplicate
	if d == nil || !d.empty() && !d.holds(n) {
		return 0, 0
	}
	return max(1, d.Copies), d.Gap
}
