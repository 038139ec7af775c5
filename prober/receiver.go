package prober

import (
	"errors"
	"net"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// receiveBackoff is waited after an error of a receive queue, such as an
// interface that went down.
const receiveBackoff = 10 * time.Millisecond

// runReceiver reads one queue until Close.
func (e *Engine) runReceiver(queue int) {
	in := make([]packet.Incoming, batchSize)
	touched := make([]*trace, 0, 2*batchSize)
	var reply packet.Reply
	for {
		n, err := e.queues[queue].Receive(in)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !e.endure() {
				return
			}
			continue
		}
		touched = e.take(queue, in[:n], &reply, touched[:0])
	}
}

// endure waits out an error of a queue and reports false when the engine is
// closing.
func (e *Engine) endure() bool {
	e.mu.Lock()
	e.totals.ReceiveErrors++
	e.mu.Unlock()
	timer := time.NewTimer(receiveBackoff)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.stop:
		return false
	}
}

// take hands a batch of packets of a queue to their traces.
func (e *Engine) take(queue int, in []packet.Incoming, reply *packet.Reply, touched []*trace) []*trace {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.arrivals.taken(queue, in[len(in)-1].Wall, now)
	for i := range in {
		if err := packet.Parse(&in[i], reply); err != nil {
			if errors.Is(err, packet.ErrForeign) {
				e.totals.Replies[foreign]++
			} else {
				e.totals.Replies[malformed]++
			}
			continue
		}
		if in[i].Wall != 0 {
			e.clock.received(now, in[i].Wall)
		}
		t, f := e.dispatch(reply, receipt{user: now, kernel: in[i].Wall, epoch: e.clock.epoch})
		e.totals.Replies[f]++
		if t != nil && !t.touched {
			t.touched = true
			touched = append(touched, t)
		}
	}
	for i, t := range touched {
		t.touched = false
		touched[i] = nil
		e.react(t, now.mono)
		if t.twin != nil {
			e.react(t.twin, now.mono)
		}
	}
	return touched
}

// dispatch finds the probe that a reply answers and gives it to its trace.
func (e *Engine) dispatch(r *packet.Reply, at receipt) (*trace, fate) {
	m, f := e.identity.find(r, at.user.mono)
	if f != matched {
		return nil, f
	}
	t := m.trace
	a := answer{
		receipt: at, from: r.From, kind: kindOf(r.Kind), code: r.Code, ttl: r.TTL, mtu: r.MTU,
	}
	a.arrival, a.ends = conclude(r, t.typ, t.target)
	if r.Kind.IsError() {
		a.qttl, a.qtos = r.Quote.TTL, r.Quote.TOS
		if !r.Extensions.Empty() {
			a.ext = extensionsOf(&r.Extensions)
		}
	}
	switch {
	case m.flow >= len(t.flows):
		f = t.onRetry(m.flow, m.ttl, a)
	case m.ttl == 0:
		f = t.onUnplaced(m.flow, a)
	default:
		f = t.onReply(m.flow, m.ttl, a)
	}
	return t, f
}

// react does what a trace wants after news.
func (e *Engine) react(t *trace, now mono.Instant) {
	if t.finished || t.queued == ready {
		return
	}
	s := e.next(t, now)
	if s.action == send || s.action == retryNow {
		e.schedule.push(t)
		e.rouse(now)
		return
	}
	e.follow(t, s, now)
	switch s.action {
	case wait:
		e.rouse(s.wake)
	case listen:
		e.rouse(now)
	}
}

// collectStamps takes in the transmit stamps that have come since the last
// sending.
func (e *Engine) collectStamps() {
	var stamps [batchSize]packet.Stamp
	e.drainStamps(stamps[:])
}

func (e *Engine) drainStamps(into []packet.Stamp) {
	e.stamping.Lock()
	defer e.stamping.Unlock()
	for {
		n := e.transport.Stamps(into)
		if n == 0 {
			return
		}
		e.mu.Lock()
		for _, s := range into[:n] {
			e.stamp(s)
		}
		e.mu.Unlock()
		if n < len(into) {
			return
		}
	}
}

// stamp notes when a probe left. The caller holds mu.
func (e *Engine) stamp(s packet.Stamp) {
	sp, h, ttl := splitToken(s.Token)
	if sp >= spaces {
		return
	}
	m, why := e.identity.byHandle(sp, h)
	if why != matched || int(ttl) > m.trace.spec.MaxTTL {
		return
	}
	if sl := m.trace.slotAt(m.flow, int(ttl)); sl.state == sent {
		sl.sent.kernel = s.Wall
		e.clock.transmitted(sl.sent)
		sl.sent.user = e.clock.departed(sl.sent)
		if sl.answer != 0 {
			m.trace.changes.at(int(ttl)) // its RTT
		}
	}
}
