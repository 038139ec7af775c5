package lookup

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// patience says how a client waits for name servers.
type patience struct {
	// next is how long one server may take before the next one is asked too.
	// It doubles from round to round, up to limit.
	next  time.Duration
	limit time.Duration // how long one server may take at all
	// attempts is the number of rounds over all servers.
	attempts int
	// all asks servers that are set aside too, when no other has answered.
	all bool
}

// client asks recursive name servers until one answers. Those that keep silent
// are set aside. It is safe for concurrent use.
type client struct {
	settings func() resolverConfig
	exchange exchange
	timeout  time.Duration // of a trial

	// useful is the server that answered last. It is asked first, so that a
	// dead one at the head of the list costs its timeout once, not per lookup.
	useful   atomic.Pointer[netip.AddrPort]
	silences *silences
	open     atomic.Int64 // tries under way

	ctx    context.Context // of every question; ends with close
	cancel context.CancelFunc

	mu     sync.Mutex // guards the beginning of a trial against close
	closed bool
	trials sync.WaitGroup
}

// newClient returns a client that calls settings for every question. Its owner
// must close it.
func newClient(timeout time.Duration, settings func() resolverConfig, x exchange) *client {
	asker := &client{settings: settings, exchange: x, timeout: timeout, silences: newSilences()}
	asker.ctx, asker.cancel = context.WithCancel(context.Background())
	return asker
}

// close ends the questions and trials under way, and every later question.
func (c *client) close() {
	c.cancel()
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.trials.Wait()
}

// ask returns the first useful reply for name, which ends in a dot. The error
// matches os.ErrDeadlineExceeded when no server answered at all, and is
// errAside when none was asked.
//
// A server that fails is asked again only if it did not answer: one that
// answered that it cannot tell would say so again. Once one has, nobody waits for
// those that are set aside.
func (c *client) ask(ctx context.Context, name string, kind uint16, p patience) (reply, error) {
	conf := c.settings()
	servers := c.order(conf.servers)
	if len(servers) == 0 {
		return reply{}, errors.New("lookup: no name server configured")
	}
	c.silences.keep(servers)
	ctx, cancel := context.WithCancel(ctx)
	defer context.AfterFunc(c.ctx, cancel)()
	race := &race{
		client: c, conf: conf, name: name, kind: kind, limit: p.limit,
		refused: make(map[netip.AddrPort]bool), ended: make(chan *try, len(servers)*p.attempts),
	}
	defer race.running.Wait()
	defer cancel()
	for round := range p.attempts {
		for _, server := range c.inUse(servers, p.all) {
			if race.refused[server] || race.refusal != nil && c.silences.isAside(server) {
				continue
			}
			r, err := race.await(ctx, race.start(ctx, server), min(p.next<<round, p.limit))
			if !errors.Is(err, errGoOn) {
				return r, err
			}
		}
	}
	for race.worthWaiting() {
		r, err := race.await(ctx, nil, 0)
		if !errors.Is(err, errGoOn) {
			return r, err
		}
	}
	for _, err := range []error{race.refusal, race.silence} {
		if err != nil {
			return reply{}, err
		}
	}
	return reply{}, errAside
}

// inUse returns those of servers that are not set aside, with all followed by
// the others, and makes the trials that are due.
func (c *client) inUse(servers []netip.AddrPort, all bool) []netip.AddrPort {
	use := make([]netip.AddrPort, 0, len(servers))
	var aside []netip.AddrPort
	for _, server := range servers {
		ask, trial := c.silences.mayAsk(server)
		if ask {
			use = append(use, server)
		} else if all {
			aside = append(aside, server)
		}
		if trial {
			c.trial(server)
		}
	}
	return append(use, aside...)
}

// trialName is one that resolvers answer for by themselves (RFC 6303 section
// 4.2), so that whether they do says nothing of others. That they do not know
// it is an answer too.
const trialName = "1.0.0.127." + reverseZoneIPv4

// trial asks a server that is set aside for something that nobody waits for.
// The server is in use again when it answers.
func (c *client) trial(server netip.AddrPort) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return
	}
	conf := c.settings()
	c.trials.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
		defer cancel()
		m, _ := c.exchange(ctx, conf.network(), server, newQuery(trialName, dns.TypePTR, false))
		if m != nil {
			c.silences.answered(server)
		}
		c.silences.tried(server)
	})
}

// order returns the servers with the useful one first.
func (c *client) order(servers []netip.AddrPort) []netip.AddrPort {
	useful := c.useful.Load()
	if useful == nil {
		return servers
	}
	i := slices.Index(servers, *useful)
	if i <= 0 {
		return servers
	}
	ordered := append(make([]netip.AddrPort, 0, len(servers)), *useful)
	return append(append(ordered, servers[:i]...), servers[i+1:]...)
}

// timedOut reports whether err is silence.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
