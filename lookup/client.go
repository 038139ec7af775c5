package lookup

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// client asks recursive name servers, one after the other, until one answers.
// It is safe for concurrent use.
type client struct {
	servers  func() []netip.AddrPort
	exchange exchange
	timeout  time.Duration // of one try
	attempts int           // at every server

	// useful is the server that answered last. It is asked first, so that a
	// dead one at the head of the list costs its timeout once, not per lookup.
	useful atomic.Pointer[netip.AddrPort]
}

// ask returns the first useful reply for name, which ends in a dot. The error
// matches os.ErrDeadlineExceeded when no server answered at all.
func (c *client) ask(ctx context.Context, name string, kind dnsmessage.Type) (reply, error) {
	// Servers that fail to answer are asked again; those that answer that they
	// cannot tell would say so again.
	servers := c.order()
	var refusal, silence error
	for range c.attempts {
		var silent []netip.AddrPort
		for _, server := range servers {
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
	if refusal != nil {
		return reply{}, refusal
	}
	if silence == nil {
		return reply{}, errors.New("lookup: no name server configured")
	}
	return reply{}, silence
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
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	message, err := c.exchange(ctx, network, server, q)
	if err != nil {
		return reply{}, err
	}
	return q.read(message)
}

// timedOut reports whether err is silence.
func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
