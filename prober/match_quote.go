package prober

import (
	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// findQuoted finds the probe that an ICMP error quotes. Middleboxes rewrite
// single fields of what they forward or quote, and most routers quote 8 bytes
// behind the IP header, so no field is needed that another can stand in for.
func (id *identity) findQuoted(q *packet.Quote, now mono.Instant) (match, fate) {
	if q.Fragment {
		return match{}, foreign // no probe is fragmented, and nothing behind the IP header is quoted
	}
	var m match
	var why fate
	switch q.Type {
	case packet.ICMP:
		m, why = id.byHandle(echoSpace, handle(q.EchoID))
	case packet.UDP:
		if m, why = id.byEndpoint(endpoint{udpSpace, q.Target, q.TargetPort, q.SourcePort}); why != matched {
			return id.unknownPort(why, udpSpace, q.SourcePort, q.Target, now)
		}
	case packet.TCP:
		if m, why = id.byEndpoint(endpoint{tcpSpace, q.Target, q.TargetPort, q.SourcePort}); why != matched {
			return id.unknownPort(why, tcpSpace, q.SourcePort, q.Target, now)
		}
	case packet.GRE:
		if !q.HasKey {
			return match{}, foreign
		}
		m, why = id.byHandle(echoSpace, handle(q.Key>>16))
	default:
		return match{}, foreign
	}
	if why != matched {
		return id.unknown(why, echoSpace, q.Target, now)
	}
	if q.Target != m.trace.target {
		return id.judge(m, none, now)
	}
	e := id.locate(&m, q)
	if m.ttl > m.trace.spec.MaxTTL {
		e = none
	}
	return id.judge(m, e, now)
}

// locate finds the TTL of a quoted probe whose flow is known.
func (id *identity) locate(m *match, q *packet.Quote) evidence {
	switch q.Type {
	case packet.ICMP:
		return id.locateEcho(m, q)
	case packet.UDP:
		return id.locateUDP(m, q)
	case packet.TCP:
		return id.locateTCP(m, q)
	}
	return id.locateGRE(m, q)
}

// quotedIPID returns the TTL by the identification of a quoted IPv4 header.
func quotedIPID(m *match, q *packet.Quote) (ttl int, ok bool) {
	if !m.trace.target.Is4() {
		return 0, false
	}
	return m.trace.flowAt(m.flow).byIPID(q.IPID)
}

// quotedLabel reports whether a quoted IPv6 header has the flow's label.
func quotedLabel(m *match, q *packet.Quote) bool {
	return m.trace.target.Is6() && q.FlowLabel == m.trace.flows[m.flow].label()
}

// locateEcho finds the TTL of an echo probe, whose flow the identifier gives:
// by the sequence number, or else by the identification.
func (id *identity) locateEcho(m *match, q *packet.Quote) evidence {
	t := m.trace
	if t.typ != packet.ICMP {
		return none
	}
	flow, ttl, bySequence := t.byOrdinal(uint16(q.Sequence))
	bySequence = bySequence && flow == m.flow
	if !bySequence {
		ttl = 0
	}
	if q.HasTag {
		if tagged, ok := id.byTag(m, q.Tag, ttl); ok {
			m.ttl = tagged
			return strong
		}
	}
	identified, byIPID := quotedIPID(m, q)
	keyed := q.Checksum == t.flows[m.flow].checksum() || quotedLabel(m, q)
	switch {
	case bySequence:
		m.ttl = ttl
		if keyed || byIPID && identified == ttl {
			return strong
		}
	case byIPID && keyed:
		m.ttl = identified
		return strong
	}
	return none
}

// locateUDP finds the TTL of a UDP probe, whose flow the endpoint gives: by the
// checksum, or else by the identification.
func (id *identity) locateUDP(m *match, q *packet.Quote) evidence {
	ttl, byChecksum := m.trace.flows[m.flow].byUDPChecksum(uint16(q.Sequence))
	if !byChecksum {
		ttl = 0
	}
	if q.HasTag {
		if tagged, ok := id.byTag(m, q.Tag, ttl); ok {
			m.ttl = tagged
			return strong
		}
	}
	identified, byIPID := quotedIPID(m, q)
	switch {
	case byChecksum:
		m.ttl = ttl
		if byIPID && identified == ttl || quotedLabel(m, q) {
			return strong
		}
		return weak
	case byIPID:
		m.ttl = identified
		return weak
	}
	return none
}

// locateTCP finds the TTL of a SYN, whose flow the endpoint gives: by the
// sequence number, the timestamp value, or else by the identification. The
// SYNs of a retry all have one sequence number.
func (id *identity) locateTCP(m *match, q *packet.Quote) evidence {
	f := m.trace.flowAt(m.flow)
	ttl, bySequence := f.bySYN(q.Sequence - f.firstSequence)
	again := m.flow >= len(m.trace.flows)
	if bySequence && !again {
		m.ttl = ttl
		return strong
	}
	if q.HasTag {
		if ttl, ok := f.bySYN(uint32(q.Tag) - f.firstTimestamp); ok {
			m.ttl = ttl
			return strong
		}
	}
	ttl, ok := quotedIPID(m, q)
	switch {
	case !ok:
		return none
	case again && q.Sequence == f.firstSequence:
		m.ttl = ttl
		return strong
	}
	m.ttl = ttl
	return weak
}

// locateGRE finds the TTL of a GRE probe, whose flow the key gives and proves:
// by the inner packet when the quote reaches that far, else by the
// identification, or by the length of the packet.
func (id *identity) locateGRE(m *match, q *packet.Quote) evidence {
	t := m.trace
	f := &t.flows[m.flow]
	if t.typ != packet.GRE && t.typ != packet.GREEcho || q.Key != f.key() {
		return none
	}
	if ttl, ok := id.innerTTL(m, q); ok {
		m.ttl = ttl
		return strong
	}
	if ttl, ok := quotedIPID(m, q); ok {
		m.ttl = ttl
		return strong
	}
	if ttl, ok := t.typ.TTLOf(t.target.Is6(), q.Length); ok {
		m.ttl = ttl
		return strong
	}
	return none
}

// innerTTL finds the TTL by what a long quote has of the inner packet.
func (id *identity) innerTTL(m *match, q *packet.Quote) (ttl int, ok bool) {
	t := m.trace
	if q.HasTag {
		return id.byTag(m, q.Tag, 0)
	}
	if !q.HasSequence || t.typ != packet.GREEcho || q.EchoID != uint16(t.flows[m.flow].handle) {
		return 0, false
	}
	flow, ttl, ok := t.byOrdinal(uint16(q.Sequence))
	return ttl, ok && flow == m.flow
}
