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

	"golang.org/x/net/dns/dnsmessage"
)

// client asks recursive name servers, one after the other, until one answers.
// Those that keep silent are set aside. It is safe for concurrent use.
type client struct {
	servers  func() []netip.AddrPort
	exchange exchange
	timeout  time.Duration // of one try
	attempts int           // at every server

	// useful is the server that answered last. It is asked first, so that a
	// dead one at the head of the list costs its timeout once, not per lookup.
	useful   atomic.Pointer[netip.AddrPort]
	silences *silences

	ctx    context.Context // of trials; ends with close
	cancel context.CancelFunc
	trials sync.WaitGroup
}

// newClient returns a client of the servers that a function tells, each time
// anew. Its owner must close it.
func newClient(c Config, servers func() []netip.AddrPort, x exchange) *client {
	asker := &client{servers: servers, exchange: x, timeout: c.Timeout, attempts: c.Attempts, silences: newSilences()}
	asker.ctx, asker.cancel = context.WithCancel(context.Background())
	return asker
}

// close ends the trials under way. Nobody may ask any more.
func (c *client) close() {
	c.cancel()
	c.trials.Wait()
}

// ask returns the first useful reply for name, which ends in a dot. The error
// matches os.ErrDeadlineExceeded when no server answered at all, and is
// errAside when none was asked.
func (c *client) ask(ctx context.Context, name string, kind dnsmessage.Type) (reply, error) {
	// Servers that fail to answer are asked again; those that answer that they
	// cannot tell would say so again.
	servers := c.order()
	if len(servers) == 0 {
		return reply{}, errors.New("lookup: no name server configured")
	}
	c.silences.keep(servers)
	var refusal, silence error
	for range c.attempts {
		var silent []netip.AddrPort
		for _, server := range c.inUse(servers) {
			r, err := c.try(ctx, server, name, kind)
			switch {
			case err == nil:
				if useful := c.useful.Load(); useful == nil || *useful != server {
					c.useful.Store(&server)
				}
				return r, nil
			case ctx.Err() != nil:
				return reply{}, ctx.Err()
			case timedOut(err):
				silence = err
				silent = append(silent, server)
			default:
				refusal = err
			}
		}
		servers = silent
	}
	for _, err := range []error{refusal, silence} {
		if err != nil {
			return reply{}, err
		}
	}
	return reply{}, errAside
}

// inUse returns those of servers that are not set aside, and makes the trials
// of the others that are due.
func (c *client) inUse(servers []netip.AddrPort) []netip.AddrPort {
	use := make([]netip.AddrPort, 0, len(servers))
	for _, server := range servers {
		ask, trial := c.silences.mayAsk(server)
		if ask {
			use = append(use, server)
		}
		if trial {
			c.trial(server)
		}
	}
	return use
}

// trialName is one that resolvers answer for by themselves (RFC 6303 section
// 4.2), so that whether they do says nothing of others. That they do not know
// it is an answer too.
const trialName = "1.0.0.127." + reverseZoneIPv4

// trial asks a server that is set aside for something that nobody waits for.
// The server is in use again when it answers.
func (c *client) trial(server netip.AddrPort) {
	c.trials.Go(func() {
		if q, err := newQuery(trialName, dnsmessage.TypePTR); err == nil {
			_, _ = c.over(c.ctx, "udp", server, q) // notes what came of it
		}
		c.silences.tried(server)
	})
}

// order returns the servers with the useful one first.
func (c *client) order() []netip.AddrPort {
	servers := c.servers()
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

// try asks one server once: over UDP, and over TCP when the answer did not fit
// or somebody is forging answers.
func (c *client) try(ctx context.Context, server netip.AddrPort, name string, kind dnsmessage.Type) (reply, error) {
	q, err := newQuery(name, kind) // a new id for every try
	if err != nil {
		return reply{}, err
	}
	r, err := c.over(ctx, "udp", server, q)
	if errors.Is(err, errStrays) || err == nil && r.truncated {
		r, err = c.over(ctx, "tcp", server, q)
		if err == nil && r.truncated {
			err = errors.New("lookup: answer truncated over tcp")
		}
	}
	return r, err
}

func (c *client) over(ctx context.Context, network string, server netip.AddrPort, q query) (reply, error) {
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	asked := time.Now()
	message, err := c.exchange(limited, network, server, q)
	switch {
	case err == nil:
		c.silences.answered(server)
		return q.read(message)
	// Not so over TCP, which many a firewall holds back.
	case network == "udp" && timedOut(err) && ctx.Err() == nil && c.silences.unanswered(server, asked):
		c.trial(server)
	}
	return reply{}, err
}

// timedOut reports whether err is silence.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
