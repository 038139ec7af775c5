package prober

import "probe-agent/packet"

// match is what a reply was found to answer.
type match struct {
	trace *trace
	flow  int
	ttl   int // 0: the reply names the flow only
}

// find returns what a reply answers. Without a match the fate says why:
// foreign when it names none of our probes, late when it names one that is
// over, forged when it names one and fails verification.
//
// A reply matches when it quotes the probe's protocol, destination, ports and
// identity, and at least sixteen bits that nobody else can compute (the ICMP
// checksum, half of the TCP sequence number, half of the GRE key; for UDP the
// IPv4 identification; for all the payload, and for IPv6 the flow label).
func (id *identity) find(r *packet.Reply) (match, fate) {
	if r.Kind.IsError() {
		return id.findQuoted(r)
	}
	return id.findDirect(r)
}

// ref looks a handle up.
func (id *identity) ref(sp space, h handle) (flowRef, fate) {
	refs := id.spaces[sp].refs
	if int(h) >= len(refs) {
		return flowRef{}, foreign
	}
	switch ref := refs[h]; {
	case ref.trace != nil:
		return ref, matched
	case ref.retired:
		return ref, late
	}
	return flowRef{}, foreign
}

func (id *identity) findQuoted(r *packet.Reply) (match, fate) {
	q := &r.Quote
	var ref flowRef
	var why fate
	ttl := 0
	switch q.Type {
	case packet.ICMP:
		ref, why = id.ref(echoSpace, handle(q.EchoID))
	case packet.GRE:
		if !q.HasKey {
			return match{}, foreign
		}
		ref, why = id.ref(echoSpace, handle(q.Key>>16))
	case packet.UDP:
		return id.findQuotedUDP(q)
	case packet.TCP:
		if port, held := id.portAt[q.SourcePort]; held {
			number, _ := id.splitTCPSequence(q.Sequence)
			h, t := byNumber(port, number)
			ref, why = id.ref(tcpSpace, h)
			ttl = int(t)
		} else {
			why = foreign
		}
	default:
		why = foreign
	}
	if why != matched || q.Fragment {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow), ttl: ttl}
	if !id.verifyQuote(&m, q) {
		m.trace.counts.Forged++
		return match{}, forged
	}
	return m, matched
}

// verifyQuote checks what the look-up did not: destination, ports and keyed
// bits; and finds the TTL where the flow's name does not say it.
func (id *identity) verifyQuote(m *match, q *packet.Quote) bool {
	t := m.trace
	f := &t.flows[m.flow]
	if q.Target != t.target {
		return false
	}
	switch q.Type {
	case packet.ICMP:
		flow, ttl, ok := t.byOrdinal(uint16(q.Sequence))
		m.ttl = ttl
		return ok && flow == m.flow && t.typ == packet.ICMP && (q.Checksum == f.checksum() || id.verifyRest(m, q))
	case packet.GRE:
		return q.Key == f.key() && id.locateGRE(m, q)
	case packet.TCP:
		_, tag := id.splitTCPSequence(q.Sequence)
		return q.TargetPort == t.port && m.ttl <= t.spec.MaxTTL && tag == uint16(id.probeTag(m))
	}
	return false
}

// findQuotedUDP finds a UDP probe by source port and checksum, as it left; or,
// where a translator has changed the checksum and did not change it back, by
// addresses and ports, which its flow has to itself.
func (id *identity) findQuotedUDP(q *packet.Quote) (match, fate) {
	port, held := id.portAt[q.SourcePort]
	if !held || q.Fragment {
		return match{}, foreign
	}
	h, ttl := byNumber(port, uint16(q.Sequence)-1)
	ref, why := id.ref(udpSpace, h)
	if why == matched {
		m := match{trace: ref.trace, flow: int(ref.flow), ttl: int(ttl)}
		if id.verifyUDP(&m, q) {
			return m, matched
		}
	}
	h, known := id.peers[udpPeer{target: q.Target, port: q.TargetPort, local: q.SourcePort}]
	if !known {
		if why == matched {
			ref.trace.counts.Forged++ // right name, wrong destination
			why = forged
		}
		return match{}, why
	}
	if ref, why = id.ref(udpSpace, h); why != matched {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow)}
	if !id.locateUDP(&m, q) {
		m.trace.counts.Forged++
		return match{}, forged
	}
	return m, matched
}

// verifyUDP looks for keyed bits in every place that may still have them:
// middleboxes rewrite the identification, some networks the flow label, and
// many routers do not quote the payload.
func (id *identity) verifyUDP(m *match, q *packet.Quote) bool {
	t := m.trace
	if q.Target != t.target || q.TargetPort != t.port || m.ttl > t.spec.MaxTTL {
		return false
	}
	return t.target.Is4() && q.IPID == t.flows[m.flow].ipid(uint8(m.ttl)) || id.verifyRest(m, q)
}

// verifyRest checks what only a long quote, or IPv6, has.
func (id *identity) verifyRest(m *match, q *packet.Quote) bool {
	t := m.trace
	return q.HasTag && q.Tag == id.probeTag(m) || t.target.Is6() && q.FlowLabel == t.flows[m.flow].label()
}

// suspicion is how many forgeries a trace may have seen and still trust the
// ten keyed bits of an identification alone. Somebody who guesses them fails
// about a thousand times before the first success, and is found out by then.
const suspicion = 8

// locateUDP finds the TTL of a UDP probe whose checksum tells nothing: by the
// identification, or by the payload.
func (id *identity) locateUDP(m *match, q *packet.Quote) bool {
	t := m.trace
	if t.target.Is4() && t.counts.Forged < suspicion {
		if ttl, ok := t.flows[m.flow].ttlOf(q.IPID); ok && int(ttl) <= t.spec.MaxTTL {
			m.ttl = int(ttl)
			return true
		}
	}
	if !q.HasTag {
		return false
	}
	for m.ttl = 1; m.ttl <= t.spec.MaxTTL; m.ttl++ {
		if q.Tag == id.probeTag(m) {
			return true
		}
	}
	return false
}

// locateGRE finds the TTL of a quoted GRE probe, whose key names the flow
// only: from the inner packet when the quote reaches that far, else from the
// IPv4 identification.
func (id *identity) locateGRE(m *match, q *packet.Quote) bool {
	t := m.trace
	switch {
	case q.HasSequence && t.typ == packet.GREEcho:
		flow, ttl, ok := t.byOrdinal(uint16(q.Sequence))
		m.ttl = ttl
		return ok && flow == m.flow && q.EchoID == uint16(t.flows[m.flow].handle)
	case q.HasSequence && t.typ == packet.GRE:
		m.ttl = int(min(q.Sequence, MaxTTLLimit+1))
		return m.ttl >= 1 && m.ttl <= t.spec.MaxTTL && (!q.HasTag || q.Tag == id.probeTag(m))
	case t.target.Is4() && (t.typ == packet.GRE || t.typ == packet.GREEcho):
		ttl, ok := t.flows[m.flow].ttlOf(q.IPID)
		m.ttl = int(ttl)
		return ok && m.ttl <= t.spec.MaxTTL
	}
	return false
}

func (id *identity) probeTag(m *match) uint64 {
	t := m.trace
	return id.tag(t.nonce, spaceOf(t.typ), t.flows[m.flow].handle, uint8(m.ttl))
}

// findDirect matches what is not an ICMP error: an answer of the target.
func (id *identity) findDirect(r *packet.Reply) (match, fate) {
	switch r.Kind {
	case packet.EchoReply:
		return id.findEcho(r)
	case packet.SynAck, packet.Reset:
		return id.findTCP(r)
	case packet.UDPAnswer:
		return id.findUDP(r)
	case packet.GREAnswer, packet.Decapsulated:
		return id.findGRE(r)
	}
	return match{}, foreign
}

// findEcho does not ask where the reply came from: the tag proves that its
// sender has seen the request, and hosts do answer from another address.
func (id *identity) findEcho(r *packet.Reply) (match, fate) {
	ref, why := id.ref(echoSpace, handle(r.EchoID))
	if why != matched {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow)}
	flow, ttl, ok := m.trace.byOrdinal(uint16(r.Sequence))
	m.ttl = ttl
	if !ok || flow != m.flow || !r.HasTag || r.Tag != id.probeTag(&m) {
		m.trace.counts.Forged++
		return match{}, forged
	}
	return m, matched
}

func (id *identity) findTCP(r *packet.Reply) (match, fate) {
	port, held := id.portAt[r.TargetPort]
	if !held || !r.HasSequence {
		return match{}, foreign
	}
	number, tag := id.splitTCPSequence(r.Sequence)
	h, ttl := byNumber(port, number)
	ref, why := id.ref(tcpSpace, h)
	if why != matched {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow), ttl: int(ttl)}
	t := m.trace
	if r.From != t.target || r.SourcePort != t.port || m.ttl > t.spec.MaxTTL || tag != uint16(id.probeTag(&m)) {
		t.counts.Forged++
		return match{}, forged
	}
	return m, matched
}

// findUDP knows the flow by addresses and ports, which it has to itself, and
// the TTL only when the answer repeats the first bytes of the probe.
func (id *identity) findUDP(r *packet.Reply) (match, fate) {
	h, known := id.peers[udpPeer{target: r.From, port: r.SourcePort, local: r.TargetPort}]
	if !known {
		return match{}, foreign
	}
	ref, why := id.ref(udpSpace, h)
	if why != matched {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow)}
	if r.HasSequence {
		if said, ttl := byNumber(h.port(), uint16(r.Sequence)-1); said == h && int(ttl) <= m.trace.spec.MaxTTL {
			m.ttl = int(ttl)
		}
	}
	return m, matched
}

func (id *identity) findGRE(r *packet.Reply) (match, fate) {
	if !r.HasKey {
		return match{}, foreign
	}
	ref, why := id.ref(echoSpace, handle(r.Key>>16))
	if why != matched {
		return match{}, why
	}
	m := match{trace: ref.trace, flow: int(ref.flow)}
	t := m.trace
	isGRE := t.typ == packet.GRE || t.typ == packet.GREEcho
	if !isGRE || r.From != t.target || r.Key != t.flows[m.flow].key() {
		t.counts.Forged++
		return match{}, forged
	}
	if r.Kind == packet.GREAnswer && t.flows[m.flow].egress.source == t.target {
		return match{}, foreign // our own probe, on its way through this host
	}
	if r.Kind == packet.Decapsulated {
		m.ttl = int(min(r.Sequence, MaxTTLLimit+1))
		if m.ttl < 1 || m.ttl > t.spec.MaxTTL || !r.HasTag || r.Tag != id.probeTag(&m) {
			t.counts.Forged++
			return match{}, forged
		}
	}
	return m, matched
}
