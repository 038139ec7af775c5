package lookup

import (
	"cmp"
	"context"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
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

func (w *wire) exchange(ctx context.Context, network string, server netip.AddrPort, q *dns.Msg) (*dns.Msg, error) {
	name := q.Question[0].Name
	w.mu.Lock()
	w.queries = append(w.queries, name)
	w.servers = append(w.servers, server)
	w.times = append(w.times, time.Now())
	w.flying++
	w.highest = max(w.highest, w.flying)
	dead := w.dead[server] || w.mute[name] || w.noTCP && network == "tcp"
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
		return exchanged(q, w.edit)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// exchanged returns the response to q in which edit may change everything, after
// both have been through another implementation of DNS.
func exchanged(q *dns.Msg, edit func(*dnsmessage.Message)) (*dns.Msg, error) {
	packed, err := q.Pack()
	if err != nil {
		return nil, err
	}
	var asked dnsmessage.Message
	if err := asked.Unpack(packed); err != nil {
		return nil, err
	}
	m := new(dns.Msg)
	err = m.Unpack(respond(asked, edit))
	return m, err
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

// hermetic is c without the files of the host that the test runs on.
func hermetic(c Config) Config {
	c.ResolvConf, c.Hosts = cmp.Or(c.ResolvConf, "testdata/no-resolv.conf"), cmp.Or(c.Hosts, "testdata/no-hosts")
	return c
}

// newWired returns a Service whose name servers are w. In a bubble it must be
// closed before the bubble ends.
func newWired(t *testing.T, c Config, w *wire) *Service {
	t.Helper()
	if c.Servers == nil {
		c.Servers = []netip.AddrPort{firstServer}
	}
	s, err := newService(t.Context(), hermetic(c), w.exchange)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
