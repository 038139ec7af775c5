package netsim

import (
	"net/netip"
	"slices"
	"time"
)

// walk is one packet's way through a network.
type walk struct {
	network *Network
	datagram
	sent   time.Duration
	prober netip.Addr // who sent it, before any rewriting
	probed netip.Addr // whom it was sent to, before any rewriting

	passed    int           // routers that forwarded it
	out, home time.Duration // delay up to here, and from here back
	undo      []undo        // rewritings that answers are spared
	way       []*station    // come by so far, in order
}

// undo is what a restoring router puts back.
type undo struct {
	source, target netip.Addr
	port           uint16
}

// run takes the packet from router to router until something ends it.
func (w *walk) run(next exit) {
	for {
		for next.split != nil {
			next = next.split.choose(&w.datagram)
		}
		if next.router == nil {
			w.end()
			return
		}
		if !w.pass(next.router) {
			return
		}
		r := next.router
		w.passed += 1 - r.back
		w.home -= r.backHome
		next = r.next
	}
}

// arrive brings the packet to a node; false when it is lost on the link.
func (w *walk) arrive(s *station) bool {
	w.out += outward(s.node.Delay)
	w.home += homeward(s.node.Delay)
	if s.loses() {
		w.network.counts.Lost++
		return false
	}
	w.way = append(w.way, s)
	for i := range s.node.Forge {
		if f := &s.node.Forge[i]; concerns(f.Protocols, w.kind()) && (f.empty() || f.holds(s.arrivals)) {
			w.forge(s, f)
		}
	}
	return true
}

// pass does what a router does to a packet, and reports whether it goes on.
func (w *walk) pass(r *router) bool {
	if !w.arrive(r.station) {
		return false
	}
	ttl := w.ttl()
	if ttl <= 1 && (!r.hop.TTLZero || ttl != 1) {
		w.expire(r)
		return false
	}
	if w.rejected(r.station, Through) {
		return false
	}
	if box := r.hop.Middlebox; box != nil && box.takes(w.kind(), Through) {
		w.serve(r.station, &box.Endpoint, w.probed)
		if !box.Pass {
			return false
		}
	}
	if r.hop.MTU > 0 && len(w.bytes) > r.hop.MTU && w.dontFragment() {
		w.fail(r.station, tooBig(w.ipv6, uint16(r.hop.MTU)), netip.Addr{})
		return false
	}
	w.setTTL(ttl - 1)
	if r.hop.Rewrite != nil {
		w.rewrite(r.hop.Rewrite)
	}
	return true
}

// expire ends a packet whose TTL is used up.
func (w *walk) expire(r *router) {
	if w.rejected(r.station, Expired) {
		return
	}
	if box := r.hop.Middlebox; box != nil && box.takes(w.kind(), Expired) {
		w.serve(r.station, &box.Endpoint, w.probed)
		if !box.Pass {
			return
		}
	}
	w.fail(r.station, timeExceeded(w.ipv6, 0), netip.Addr{})
}

// end is the arrival at the target.
func (w *walk) end() {
	target := w.network.station
	if !w.arrive(target) {
		return
	}
	w.network.counts.Reached++
	if w.rejected(target, All) {
		return
	}
	w.serve(target, &w.network.target.Endpoint, w.answerer())
}

// answerer is the address that the target answers from.
func (w *walk) answerer() netip.Addr {
	if from := w.network.target.From.For(w.ipv6); from.IsValid() {
		return from
	}
	for _, u := range w.undo {
		if u.target.IsValid() {
			return u.target
		}
	}
	return w.target()
}

// rejected applies the first of a node's rejections that fits, if any.
func (w *walk) rejected(s *station, now When) bool {
	for i := range s.node.Reject {
		r := &s.node.Reject[i]
		if !applies(r.When, now) || !concerns(r.Protocols, w.kind()) {
			continue
		}
		if r.Kind != Drop {
			w.fail(s, r.failure(w.ipv6), r.From.For(w.ipv6))
		}
		return true
	}
	return false
}

// applies reports whether what is set for some moment holds now; at a target
// everything does.
func applies(set, now When) bool { return set == now || set == All || now == All }

// concerns reports whether a list of protocols includes one; an empty list
// includes all.
func concerns(list []Protocol, p Protocol) bool {
	return len(list) == 0 || slices.Contains(list, p)
}

func (m *Middlebox) takes(p Protocol, now When) bool {
	return applies(m.When, now) && concerns(m.Protocols, p)
}

// rewrite changes the packet as a router's Rewrite says.
func (w *walk) rewrite(r *Rewrite) {
	var u undo
	if addr := r.Source.For(w.ipv6); addr.IsValid() {
		u.source = w.source()
		w.setSource(addr)
	}
	if addr := r.Destination.For(w.ipv6); addr.IsValid() {
		u.target = w.target()
		w.setTarget(addr)
	}
	if r.SourcePort != 0 {
		u.port = w.sourcePort()
		w.setSourcePort(r.SourcePort)
	}
	if r.TTL != nil {
		w.setTTL(*r.TTL)
	}
	if r.TOS != nil {
		w.setTOS(*r.TOS)
	}
	if r.IPID != nil {
		w.setIPID(*r.IPID)
	}
	if r.Restore && u != (undo{}) {
		w.undo = append(w.undo, u)
	}
}
