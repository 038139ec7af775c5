package prober

import (
	"bytes"
	"errors"
	"net"
	"strings"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/mono"
	"probe-agent/prober/strategy"
	"probe-agent/traceroute"
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
				e.totals.Replies[unmatched]++
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
		if t.companion != nil {
			e.react(t.companion, now.mono)
		}
	}
	return touched
}

// dispatch finds the probe that a reply answers and gives it to its trace.
func (e *Engine) dispatch(r *packet.Reply, at receipt) (*trace, verdict) {
	m, v := e.registry.Match(r, at.user.mono)
	if v != ident.Matched {
		return nil, verdictOf[v]
	}
	t := m.Owner
	if int(m.Flow) >= len(t.flows) { // allocated, but nothing was sent
		t.lease.Forgery()
		return t, forged
	}
	a := answer{
		receipt: at, from: r.From, kind: kindOf(r.Kind), code: r.Code, ttl: r.TTL, mtu: r.MTU,
	}
	a.arrival, a.ends = conclusion(r, t.lease.Type, t.lease.Target)
	if r.Kind.IsError() {
		a.qttl, a.qtos = r.Quote.TTL, r.Quote.TOS
		if !r.Extensions.Empty() {
			a.ext = extensionsOf(&r.Extensions)
		}
	}
	flow, ttl := int(m.Flow), int(m.TTL)
	var f verdict
	switch {
	case t.flows[flow].repeats != 0:
		f = t.onRepeated(flow, ttl, &a)
	case ttl == 0:
		f = t.onUnplaced(flow, &a)
	default:
		f = t.onReply(flow, ttl, &a)
	}
	return t, f
}

// react does what a trace wants after news.
func (e *Engine) react(t *trace, now mono.Instant) {
	if t.finished || t.queued == ready {
		return
	}
	switch s := e.next(t, now); s.Action {
	case strategy.Send, strategy.Allocate:
		e.schedule.push(t)
		e.rouse(now)
	case strategy.Wait:
		e.follow(t, s, now)
		e.rouse(s.Wake)
	case strategy.Listen:
		e.follow(t, s, now)
		e.rouse(now)
	default:
		e.follow(t, s, now)
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
	m, ok := e.registry.ByTxID(s.TxID)
	if !ok || int(m.Flow) >= len(m.Owner.flows) {
		return
	}
	t := m.Owner
	flow, ttl := int(m.Flow), int(m.TTL)
	sl := t.slot(flow, ttl)
	if sl.state != sent {
		return
	}
	at := sl.sending()
	at.kernel = s.Wall
	e.clock.transmitted(at)
	at.user = e.clock.departed(at)
	t.departs(flow, ttl, at)
	if sl.answer != 0 {
		t.changes.at(ttl) // its RTT
	}
}

// kindOf returns the model's kind of a reply.
func kindOf(k packet.Kind) traceroute.Kind {
	return [...]traceroute.Kind{
		packet.EchoReply:        traceroute.EchoReply,
		packet.TimeExceeded:     traceroute.TimeExceeded,
		packet.Unreachable:      traceroute.Unreachable,
		packet.PacketTooBig:     traceroute.PacketTooBig,
		packet.ParameterProblem: traceroute.ParameterProblem,
		packet.SynAck:           traceroute.SynAck,
		packet.Reset:            traceroute.Reset,
		packet.UDPAnswer:        traceroute.UDPAnswer,
		packet.GREAnswer:        traceroute.GREAnswer,
		packet.Decapsulated:     traceroute.Decapsulated,
	}[k]
}

// extensionsOf returns a copy of the extensions of a reply, of which nothing
// points into the received packet.
func extensionsOf(e *packet.Extensions) *traceroute.Extensions {
	c := &traceroute.Extensions{}
	for _, m := range e.MPLS() {
		c.MPLS = append(c.MPLS, traceroute.MPLS{Label: m.Label, TrafficClass: m.Exp, Bottom: m.Bottom, TTL: m.TTL})
	}
	interfaces := e.Interfaces()
	for i := range interfaces {
		from := &interfaces[i]
		c.Interfaces = append(c.Interfaces, traceroute.Interface{
			Role: traceroute.Role(from.Role), Index: from.Index, HasIndex: from.HasIndex, Addr: from.Address, MTU: from.MTU,
			Name: strings.ToValidUTF8(string(from.Name[:from.NameLen]), "\uFFFD"), // from the network: may be anything
		})
	}
	for _, o := range e.Objects() {
		c.Objects = append(c.Objects, traceroute.Object{Class: o.Class, CType: o.CType, Data: bytes.Clone(o.Data)})
	}
	return c
}
