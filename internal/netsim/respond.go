package netsim

import (
	"bytes"
	"net/netip"
	"slices"
	"time"
)

// reply is what a node needs to send an answer: it comes from making one, and
// is good for exactly one.
type reply struct {
	station *station
	number  int // of the answer at its station
	ttl     uint8
}

// prepare decides whether a node sends an answer now, and counts it.
func (w *walk) prepare(s *station) (reply, bool) {
	if s.node.Silent || !s.allows(w.sent+w.out) {
		return reply{}, false
	}
	s.answers++
	r := reply{station: s, number: s.answers}
	if s.node.ReplyLoss.takes(s.seed, drawReplyLoss, s.answers) {
		return r, false
	}
	start, hops := int(s.ttl), w.passed
	if s.node.ReplyTTL != 0 {
		start = int(s.node.ReplyTTL)
	}
	if s.node.ReturnHops != nil {
		hops = *s.node.ReturnHops
	}
	if start <= hops {
		return r, false // its own TTL ends on the way home
	}
	r.ttl = uint8(start - hops)
	return r, true
}

// envelope addresses an answer to the prober.
func (w *walk) envelope(r reply, from netip.Addr, protocol uint8) envelope {
	return envelope{source: from, target: w.prober, protocol: protocol, ttl: r.ttl, tos: r.station.node.ReplyTOS}
}

// deliver sends an answer on its way home, with its copies.
func (w *walk) deliver(r reply, packet []byte) {
	after := w.out + w.home + r.station.lateness(r.number)
	w.bringHome(after, packet)
	copies, gap := r.station.copies(r.number)
	for i := range copies {
		w.bringHome(after+time.Duration(i+1)*gap, bytes.Clone(packet))
	}
}

// bringHome takes a packet back by the way that the probe came, unless a node
// of it loses what comes that way.
func (w *walk) bringHome(after time.Duration, packet []byte) {
	for _, s := range slices.Backward(w.way) {
		s.returns++
		if s.node.ReturnLoss.takes(s.seed, drawReturnLoss, s.returns) {
			return
		}
	}
	w.network.deliveries = append(w.network.deliveries, Delivery{After: after, Bytes: packet})
}
