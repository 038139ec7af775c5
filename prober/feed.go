package prober

import (
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// Feed is where a trace reports what it learns while it runs. The zero value
// reports nothing.
type Feed struct {
	// Trace is a number of the caller's for the trace, which all that is reported
	// has, so that traces can share channels.
	Trace int
	// Responders receives each address that answered, once for each TTL that it
	// answered at and, in a GREICMP trace, each half: names can be looked up while the trace runs. The TTL is 0
	// when it is still to be inferred, as for UDP answers. Sending does not
	// wait: with the channel full, an address is dropped.
	Responders chan<- Responder
	// Updates receives what has changed, at most every 50 ms. Sending does not
	// wait: with the channel full, the changes are part of the next Update.
	Updates chan<- Update
}

// Responder is an address that answered.
type Responder struct {
	traceroute.Responder

	Trace  int        // of the Feed
	Target netip.Addr // that is traced
}

// Update is what has changed in a trace since the Update before.
type Update struct {
	Trace   int           // of the Feed
	Target  netip.Addr    // that is traced
	Elapsed time.Duration // since the trace started
	TTLs    []uint8       // that have changed, ascending
	// Probes are all probes sent at these TTLs, by TTL, then flow, as a Result
	// shows them. A TTL without any is beyond the end of the path, as far as
	// that is known.
	Probes []traceroute.Probe
}

// updateEvery is the least time between two Updates of a trace.
const updateEvery = 50 * time.Millisecond

// changes keeps, for a Feed, which TTLs of a trace have changed; both halves of
// a GREICMP trace share it. All methods but those of Engine do nothing on nil.
// Guarded by Engine.mu.
type changes struct {
	feed Feed
	news chan struct{} // capacity 1: something has changed; nil: no Updates are wanted
	ttls uint64        // a bit for each TTL that has changed, from TTL 1 on
	// expires is when a probe that was pending in the last Update will be lost,
	// by TTL, 0: none was; nil when no Updates are wanted.
	expires []mono.Instant
}

func newChanges(feed Feed) *changes {
	if feed.Responders == nil && feed.Updates == nil {
		return nil
	}
	c := &changes{feed: feed}
	if feed.Updates != nil {
		c.news, c.expires = make(chan struct{}, 1), make([]mono.Instant, traceroute.MaxTTLLimit+1)
	}
	return c
}

// responder reports an address that answered a trace of target.
func (c *changes) responder(target netip.Addr, r traceroute.Responder) {
	if c == nil || c.feed.Responders == nil {
		return
	}
	select {
	case c.feed.Responders <- Responder{r, c.feed.Trace, target}:
	default:
	}
}

// at notes that a TTL has changed.
func (c *changes) at(ttl int) { c.mark(1 << (ttl - 1)) }

// all notes that every TTL may have changed: the end of a path has.
func (c *changes) all() { c.mark(^uint64(0)) }

func (c *changes) mark(ttls uint64) {
	if c == nil || c.feed.Updates == nil {
		return
	}
	c.ttls |= ttls
	select {
	case c.news <- struct{}{}:
	default:
	}
}

// due adds the TTLs where a pending probe has been lost since, and returns
// those that have changed, up to the highest one probed. None has after that.
func (c *changes) due(now mono.Instant, sentTop int) []uint8 {
	for ttl := 1; ttl <= sentTop; ttl++ {
		if at := c.expires[ttl]; at != 0 && at <= now {
			c.ttls |= 1 << (ttl - 1)
		}
	}
	var ttls []uint8
	for left := c.ttls; left != 0; left &= left - 1 {
		if ttl := bits.TrailingZeros64(left) + 1; ttl <= sentTop {
			ttls = append(ttls, uint8(ttl))
		}
	}
	c.ttls = 0
	return ttls
}

// update sends what has changed in the traces of a call to the feed. Changes
// that find the channel full wait for the next call.
func (e *Engine) update(traces []*trace) {
	e.collectStamps()
	c := traces[0].changes
	u := e.changed(traces)
	if len(u.TTLs) == 0 {
		return
	}
	select {
	case c.feed.Updates <- u:
		return
	default:
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, ttl := range u.TTLs {
		c.at(int(ttl))
	}
}

// changed returns what has changed since the last call.
func (e *Engine) changed(traces []*trace) Update {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now().mono
	c := traces[0].changes
	top, _ := pathOf(traces)
	sentTop := 0
	for _, t := range traces {
		sentTop = max(sentTop, t.sentTop)
	}
	u := Update{Trace: c.feed.Trace, Target: traces[0].lease.Target, Elapsed: now.Since(traces[0].started), TTLs: c.due(now, sentTop)}
	for _, ttl := range u.TTLs {
		c.expires[ttl] = 0
		for i, t := range traces {
			u.Probes = t.appendProbes(u.Probes, int(ttl), top, len(traces) == 2 && i == 0, e.clock.epoch)
		}
	}
	for i := range u.Probes {
		p := &u.Probes[i]
		lost := traces[0].started.Add(p.Sent + traces[0].spec.Wait)
		if before := c.expires[p.TTL]; p.Answer == nil && lost > now && (before == 0 || lost < before) {
			c.expires[p.TTL] = lost
		}
	}
	u.Probes = slices.Clip(u.Probes)
	return u
}

// appendProbes appends the probes of one TTL, unless that is beyond the end of
// the path or of their flow's.
func (t *trace) appendProbes(probes []traceroute.Probe, ttl, top int, encapsulated bool, epoch uint16) []traceroute.Probe {
	own, _ := t.outcome()
	if ttl > min(top, own) {
		return probes
	}
	for flow := range t.flows {
		if t.slot(flow, ttl).state != sent || t.flows[flow].repeats != 0 || !t.strategy.Wants(flow, ttl) {
			continue
		}
		p := t.probe(flow, ttl, encapsulated)
		if s := t.shown(flow, ttl); s.answer != 0 {
			p.Answer = new(t.answers[s.answer-1].public(s.sending(), epoch))
		}
		probes = append(probes, p)
	}
	return probes
}

// updatePace says when the next Update may be sent: when something has changed,
// updateEvery after the Update before. Without changes it sets no timer.
type updatePace struct {
	changed <-chan struct{}  // nil: no Update is wanted
	news    <-chan struct{}  // changed, or nil while the timer runs
	due     <-chan time.Time // the timer's; nil when there is none
	timer   *time.Timer
	next    time.Time // earliest
}

func newUpdatePace(c *changes) (p updatePace) {
	if c != nil && c.feed.Updates != nil {
		p.changed, p.news = c.news, c.news
		p.next = time.Now().Add(updateEvery)
	}
	return p
}

// wait sets the timer for the next Update.
func (p *updatePace) wait() {
	p.news = nil
	rest := max(0, time.Until(p.next))
	if p.timer == nil {
		p.timer = time.NewTimer(rest)
		p.due = p.timer.C
		return
	}
	p.timer.Reset(rest)
}

// ready looks out for changes again, after an Update.
func (p *updatePace) ready() {
	p.news = p.changed
	p.next = time.Now().Add(updateEvery)
}

func (p *updatePace) stop() {
	if p.timer != nil {
		p.timer.Stop()
	}
}
