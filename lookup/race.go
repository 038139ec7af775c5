package lookup

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/dns"
)

// race is one question on its way to one server after the other. A server that
// has been slow may still answer first. It belongs to one goroutine.
type race struct {
	client *client
	conf   resolverConfig
	name   string
	kind   uint16
	limit  time.Duration // of one try

	ended   chan *try // has room for all
	open    []*try    // those that have not ended
	running sync.WaitGroup

	refused          map[netip.AddrPort]bool
	refusal, silence error // the last of each kind
}

// try is one question to one server.
type try struct {
	server netip.AddrPort
	asked  time.Time
	heard  atomic.Bool // the server has sent something
	noted  bool        // as silent

	cancel    context.CancelFunc
	abandoned bool // no answer is waited for any more

	reply reply
	err   error
}

// errGoOn is that there is no reply yet.
var errGoOn = errors.New("lookup: no reply yet")

// maxOpen is the number of tries under way, of all questions together, from which
// on a question has one at a time: each holds a socket, and the names that one
// request asks for must not take all file descriptors.
const maxOpen = 256

// start asks one server.
func (r *race) start(ctx context.Context, server netip.AddrPort) *try {
	if r.client.open.Load() >= maxOpen {
		r.abandon()
	}
	limited, cancel := context.WithTimeout(ctx, r.limit)
	t := &try{server: server, asked: time.Now(), cancel: cancel}
	r.open = append(r.open, t)
	r.client.open.Add(1)
	r.running.Go(func() {
		defer cancel()
		t.reply, t.err = r.run(limited, t)
		r.client.open.Add(-1)
		r.ended <- t
	})
	return t
}

// abandon ends the tries under way. Each of them has had its patience.
func (r *race) abandon() {
	for _, t := range r.open {
		t.abandoned = true
		t.cancel()
	}
	r.open = nil
}

// await waits for a useful reply. It returns errGoOn when current has failed or
// patience has passed without one; without a current try, when any try has
// ended.
func (r *race) await(ctx context.Context, current *try, patience time.Duration) (reply, error) {
	var enough <-chan time.Time
	if current != nil {
		timer := time.NewTimer(patience)
		defer timer.Stop()
		enough = timer.C
	}
	for {
		select {
		case t := <-r.ended:
			r.open = slices.DeleteFunc(r.open, func(o *try) bool { return o == t })
			switch {
			case t.err == nil:
				if useful := r.client.useful.Load(); useful == nil || *useful != t.server {
					r.client.useful.Store(&t.server)
				}
				return t.reply, nil
			case ctx.Err() != nil:
				return reply{}, ctx.Err()
			case t.abandoned:
				continue
			case timedOut(t.err):
				r.silence = t.err
				r.unanswered(t)
			default:
				r.refusal = t.err
				r.refused[t.server] = true
			}
			if current == nil || t == current {
				return reply{}, errGoOn
			}
		case <-enough:
			r.unanswered(current)
			return reply{}, errGoOn
		case <-ctx.Done():
			return reply{}, ctx.Err()
		}
	}
}

// worthWaiting reports whether an answer may still come: from a server that is
// set aside only if no other has refused.
func (r *race) worthWaiting() bool {
	return slices.ContainsFunc(r.open, func(t *try) bool {
		return r.refusal == nil || !r.client.silences.isAside(t.server)
	})
}

// unanswered notes, once, that a server has kept silent. Silence over TCP of a
// server that answers over UDP does not count: many a firewall drops TCP.
func (r *race) unanswered(t *try) {
	if t.noted || t.heard.Load() {
		return
	}
	t.noted = true
	if r.client.silences.unanswered(t.server, t.asked) {
		r.client.trial(t.server)
	}
}

// run asks a server over UDP, and over TCP when the answer did not fit or
// somebody is forging answers; over TCP only when the host is configured so.
func (r *race) run(ctx context.Context, t *try) (reply, error) {
	network := r.conf.network()
	q := newQuery(r.name, r.kind, r.conf.edns0)
	m, err := r.exchange(ctx, network, t, q)
	if m != nil && r.conf.edns0 && (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) {
		q = newQuery(r.name, r.kind, false) // a server without EDNS, RFC 6891 section 7
		m, err = r.exchange(ctx, network, t, q)
	}
	if network == "udp" && (errors.Is(err, errStrays) || err == nil && m.Truncated) {
		q.Id = dns.Id()
		m, err = r.exchange(ctx, "tcp", t, q)
	}
	switch {
	case err != nil:
		return reply{}, err
	case m.Truncated:
		return reply{}, errors.New("lookup: answer truncated over tcp")
	}
	return read(q, m)
}

func (r *race) exchange(ctx context.Context, network string, t *try, q *dns.Msg) (*dns.Msg, error) {
	m, err := r.client.exchange(ctx, network, t.server, q)
	if m != nil {
		r.client.silences.answered(t.server)
	}
	if m != nil || errors.Is(err, errStrays) {
		t.heard.Store(true)
	}
	return m, err
}
