package ident

import (
	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// matchQuote finds the probe that an ICMP error quotes. Middleboxes rewrite
// single fields of what they forward or quote, and most routers quote 8 bytes
// behind the IP header, so no field is needed that another can stand in for.
func (r *Registry[O]) matchQuote(q *packet.Quote, now mono.Instant) (Match[O], Verdict) {
	if q.Fragment || q.Type == 0 {
		return Match[O]{}, Unmatched // no probe is fragmented, and nothing behind the IP header is quoted
	}
	m, why, ok := r.quotedFlow(q)
	switch {
	case !ok:
		return Match[O]{}, Unmatched
	case why == Matched:
	case q.Type.HasPorts():
		return Match[O]{}, r.unknownPort(why, q.Type.Space(), q.SourcePort, q.Target, now)
	default:
		return Match[O]{}, r.unknown(why, packet.IdentifierSpace, q.Target, now)
	}
	if q.Target != m.lease.Target {
		return r.judge(m, None, now)
	}
	e := r.locate(&m, q)
	if int(m.TTL) > m.lease.MaxTTL {
		e = None
	}
	return r.judge(m, e, now)
}

// quotedFlow looks up the flow of a quoted probe. ok is false when the quote
// has no identifier.
func (r *Registry[O]) quotedFlow(q *packet.Quote) (m Match[O], why Verdict, ok bool) {
	switch {
	case q.Type.HasPorts():
		m, why = r.byEndpoint(endpoint{q.Type.Space(), q.Target, q.TargetPort, q.SourcePort})
	case q.Type.Encapsulated():
		if !q.HasKey {
			return m, Unmatched, false
		}
		m, why = r.byID(packet.IdentifierSpace, FlowID(q.Key>>16))
	default:
		m, why = r.byID(packet.IdentifierSpace, FlowID(q.EchoID))
	}
	return m, why, true
}

// locate finds the TTL of a quoted probe whose flow is known.
func (r *Registry[O]) locate(m *Match[O], q *packet.Quote) Evidence {
	t := m.lease.Type
	switch {
	case q.Type.Encapsulated() != t.Encapsulated():
		return None
	case t.Encapsulated():
		return r.locateGRE(m, q)
	}
	switch t.Numbering() {
	case packet.ByOrder:
		return r.locateEcho(m, q)
	case packet.ByChecksum:
		return r.locateDatagram(m, q)
	case packet.BySYN:
		return locateSYN(m, q)
	}
	return None
}

// quotedIPID returns the TTL by the identification of a quoted IPv4 header.
func quotedIPID[O any](m *Match[O], q *packet.Quote) (ttl int, ok bool) {
	if !m.lease.Target.Is4() {
		return 0, false
	}
	return m.flow().byIPID(q.IPID)
}

// quotedLabel reports whether a quoted IPv6 header has the flow's label.
func quotedLabel[O any](m *Match[O], q *packet.Quote) bool {
	return m.lease.Target.Is6() && q.FlowLabel == m.flow().label()
}

// locateEcho finds the TTL of an echo probe, whose flow the identifier gives:
// by the sequence number, or else by the identification.
func (r *Registry[O]) locateEcho(m *Match[O], q *packet.Quote) Evidence {
	flow, ttl, bySequence := m.lease.byOrdinal(uint16(q.Sequence))
	bySequence = bySequence && flow == int(m.Flow)
	if !bySequence {
		ttl = 0
	}
	if q.HasTag {
		if tagged, ok := r.byTag(m, q.Tag, ttl); ok {
			m.TTL = uint8(tagged)
			return Strong
		}
	}
	identified, byIPID := quotedIPID(m, q)
	keyed := q.Checksum == m.flow().Checksum() || quotedLabel(m, q)
	switch {
	case bySequence:
		m.TTL = uint8(ttl)
		if keyed || byIPID && identified == ttl {
			return Strong
		}
	case byIPID && keyed:
		m.TTL = uint8(identified)
		return Strong
	}
	return None
}

// locateDatagram finds the TTL of a probe whose flow the endpoint gives: by the
// checksum, or else by the identification.
func (r *Registry[O]) locateDatagram(m *Match[O], q *packet.Quote) Evidence {
	ttl, byChecksum := m.flow().byChecksum16(uint16(q.Sequence))
	if !byChecksum {
		ttl = 0
	}
	if q.HasTag {
		if tagged, ok := r.byTag(m, q.Tag, ttl); ok {
			m.TTL = uint8(tagged)
			return Strong
		}
	}
	identified, byIPID := quotedIPID(m, q)
	switch {
	case byChecksum:
		m.TTL = uint8(ttl)
		if byIPID && identified == ttl || quotedLabel(m, q) {
			return Strong
		}
		return Weak
	case byIPID:
		m.TTL = uint8(identified)
		return Weak
	}
	return None
}

// locateSYN finds the TTL of a SYN, whose flow the endpoint gives: by the
// sequence number, the timestamp value, or else by the identification. SYNs
// that repeat each other all have one sequence number.
func locateSYN[O any](m *Match[O], q *packet.Quote) Evidence {
	f := m.flow()
	ttl, bySequence := f.bySYN(q.Sequence - f.firstSequence)
	if bySequence && !f.repeats {
		m.TTL = uint8(ttl)
		return Strong
	}
	if q.HasTag {
		if ttl, ok := f.bySYN(uint32(q.Tag) - f.firstTimestamp); ok {
			m.TTL = uint8(ttl)
			return Strong
		}
	}
	ttl, ok := quotedIPID(m, q)
	switch {
	case !ok:
		return None
	case f.repeats && q.Sequence == f.firstSequence:
		m.TTL = uint8(ttl)
		return Strong
	}
	m.TTL = uint8(ttl)
	return Weak
}

// locateGRE finds the TTL of a GRE probe, whose flow the key gives and
// authenticates: by the inner packet when the quote reaches that far, else by
// the identification, or by the length of the packet.
func (r *Registry[O]) locateGRE(m *Match[O], q *packet.Quote) Evidence {
	if q.Key != m.flow().Key() {
		return None
	}
	ttl, ok := r.innerTTL(m, q)
	if !ok {
		ttl, ok = quotedIPID(m, q)
	}
	if !ok {
		ttl, ok = m.lease.Type.TTLOf(m.lease.Target.Is6(), q.Length)
	}
	if !ok {
		return None
	}
	m.TTL = uint8(ttl)
	return Strong
}

// innerTTL finds the TTL by what a long quote has of the inner packet.
func (r *Registry[O]) innerTTL(m *Match[O], q *packet.Quote) (ttl int, ok bool) {
	if q.HasTag {
		return r.byTag(m, q.Tag, 0)
	}
	if !q.HasSequence || m.lease.Type.Numbering() != packet.ByOrder || q.EchoID != uint16(m.flow().ID) {
		return 0, false
	}
	flow, ttl, ok := m.lease.byOrdinal(uint16(q.Sequence))
	return ttl, ok && flow == int(m.Flow)
}
