package lookup

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// wire is an exchange in a bubble's time: it answers what it is told to, after
// a delay, and counts.
type wire struct {
	delay time.Duration
	dead  map[netip.AddrPort]bool // servers that never answer
	mute  map[string]bool         // names that no server answers for
	noTCP bool                    // it is never answered
	edit  func(*dnsmessage.Message)

	mu      sync.Mutex
	queries []string // names asked for
	servers []netip.AddrPort
	times   []time.Time
	flying  int
	highest int // queries at one time
}

func (w *wire) exchange(ctx context.Context, network string, server netip.AddrPort, q query) ([]byte, error) {
	w.mu.Lock()
	w.queries = append(w.queries, q.question.Name.String())
	w.servers = append(w.servers, server)
	w.times = append(w.times, time.Now())
	w.flying++
	w.highest = max(w.highest, w.flying)
	dead := w.dead[server] || w.mute[q.question.Name.String()] || w.noTCP && network == "tcp"
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.flying--
		w.mu.Unlock()
	}()
	var arrival <-chan time.Time
	if !dead {
		arrival = time.After(w.delay)
	}
	select {
	case <-arrival:
		var asked dnsmessage.Message
		if err := asked.Unpack(q.bytes); err != nil {
			return nil, err
		}
		return respond(asked, w.edit), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// setDead makes servers die, or come back.
func (w *wire) setDead(dead bool, servers ...netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead == nil {
		w.dead = make(map[netip.AddrPort]bool)
	}
	for _, server := range servers {
		w.dead[server] = dead
	}
}

// trials returns when which servers were asked whether they live.
func (w *wire) trials() (times []time.Time, servers []netip.AddrPort) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, name := range w.queries {
		if name == trialName {
			times, servers = append(times, w.times[i]), append(servers, w.servers[i])
		}
	}
	return times, servers
}

func (w *wire) asked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queries)
}

var (
	firstServer  = netip.MustParseAddrPort("192.0.2.53:53")
	secondServer = netip.MustParseAddrPort("198.51.100.53:53")
)

// newWired returns a Service whose name servers are w. In a bubble it must be
// closed before the bubble ends.
func newWired(t *testing.T, c Config, w *wire) *Service {
	t.Helper()
	if c.Servers == nil {
		c.Servers = []netip.AddrPort{firstServer}
	}
	s, err := newService(t.Context(), c, w.exchange)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
