package prober

import (
	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// match is what a reply was found to answer.
type match struct {
	trace *trace
	flow  int
	ttl   int // 0: the reply identifies the flow only
}

// find returns what a reply answers. Without a match the fate says why:
// foreign when it identifies none of our probes, late when it identifies one
// that is over, forged when it identifies one and carries too little evidence.
// docs/adr/0001 has the table of what identifies and what authenticates a
// probe of each type.
func (id *identity) find(r *packet.Reply, now mono.Instant) (match, fate) {
	switch r.Kind {
	case packet.EchoReply:
		return id.findEcho(r, now)
	case packet.SynAck, packet.Reset:
		return id.findTCP(r, now)
	case packet.UDPAnswer:
		return id.findUDP(r, now)
	case packet.GREAnswer, packet.Decapsulated:
		return id.findGRE(r, now)
	}
	if r.Kind.IsError() {
		return id.findQuoted(&r.Quote, now)
	}
	return match{}, foreign
}

// byHandle looks a flow up.
func (id *identity) byHandle(sp space, h handle) (match, fate) {
	switch ref := id.spaces[sp].refs[h]; {
	case ref.trace != nil:
		return match{trace: ref.trace, flow: int(ref.flow)}, matched
	case ref.retired:
		return match{}, late
	}
	return match{}, foreign
}

// byEndpoint looks up a flow that has its endpoint to itself.
func (id *identity) byEndpoint(e endpoint) (match, fate) {
	h, known := id.flows[e]
	if !known {
		return match{}, foreign
	}
	return id.byHandle(e.space, h)
}

// probeTag is the tag of the probe with the given TTL.
func (id *identity) probeTag(m *match, ttl int) uint64 {
	t := m.trace
	return id.auth.tag(t.nonce, spaceOf(t.typ), t.flows[m.flow].handle, uint8(ttl))
}

// byTag finds the TTL of a probe by its tag, looking at the given one first.
func (id *identity) byTag(m *match, tag uint64, likely int) (ttl int, ok bool) {
	if likely != 0 && tag == id.probeTag(m, likely) {
		return likely, true
	}
	for ttl := 1; ttl <= m.trace.spec.MaxTTL; ttl++ {
		if tag == id.probeTag(m, ttl) {
			return ttl, true
		}
	}
	return 0, false
}

// findEcho takes an echo reply that returns our data from anywhere: its sender
// has seen the request, and hosts do answer from another address. Some hosts
// return other data, or none; their replies have to come from the target and
// count as weak evidence.
func (id *identity) findEcho(r *packet.Reply, now mono.Instant) (match, fate) {
	m, why := id.byHandle(echoSpace, handle(r.EchoID))
	if why != matched {
		return id.unknown(why, echoSpace, r.From, now)
	}
	flow, ttl, ok := m.trace.byOrdinal(uint16(r.Sequence))
	m.ttl = ttl
	switch {
	case !ok || flow != m.flow:
		return id.judge(m, none, now)
	case r.HasTag && r.Tag == id.probeTag(&m, ttl):
		return id.judge(m, strong, now)
	case r.From == m.trace.target && m.trace.typ == packet.ICMP:
		return id.judge(m, weak, now)
	}
	return id.judge(m, none, now)
}

// findTCP takes what acknowledges a SYN of the flow (RFC 9293 section
// 3.10.7.3). A reset may also acknowledge the SYN's own number, the number 0,
// or nothing: the last two identify the flow only, and no more than guessing a
// port takes to make them.
func (id *identity) findTCP(r *packet.Reply, now mono.Instant) (match, fate) {
	m, why := id.byEndpoint(endpoint{tcpSpace, r.From, r.SourcePort, r.TargetPort})
	if why != matched {
		return id.unknownPort(why, tcpSpace, r.TargetPort, r.From, now)
	}
	f := m.trace.flowAt(m.flow)
	if r.HasSequence {
		offset := r.Sequence - f.firstSequence
		ttl, ok := f.bySYN(offset)
		if !ok && r.Kind == packet.Reset {
			ttl, ok = f.bySYN(offset + 1)
		}
		if ok {
			m.ttl = ttl
			return id.judge(m, strong, now)
		}
	}
	if r.Kind == packet.Reset && (!r.HasSequence || r.Sequence+1 == 0) {
		return id.judge(m, weak, now)
	}
	return id.judge(m, none, now)
}

// findUDP knows the flow by its endpoint, and the TTL only when the answer
// repeats the first bytes of the probe.
func (id *identity) findUDP(r *packet.Reply, now mono.Instant) (match, fate) {
	m, why := id.byEndpoint(endpoint{udpSpace, r.From, r.SourcePort, r.TargetPort})
	if why != matched {
		return id.unknownPort(why, udpSpace, r.TargetPort, r.From, now)
	}
	if r.HasSequence {
		if ttl, ok := m.trace.flows[m.flow].byUDPChecksum(uint16(r.Sequence)); ok && ttl <= m.trace.spec.MaxTTL {
			m.ttl = ttl
		}
	}
	return id.judge(m, weak, now)
}

func (id *identity) findGRE(r *packet.Reply, now mono.Instant) (match, fate) {
	if !r.HasKey {
		return match{}, foreign
	}
	m, why := id.byHandle(echoSpace, handle(r.Key>>16))
	if why != matched {
		return id.unknown(why, echoSpace, r.From, now)
	}
	t := m.trace
	isGRE := t.typ == packet.GRE || t.typ == packet.GREEcho
	if !isGRE || r.From != t.target || r.Key != t.flows[m.flow].key() {
		return id.judge(m, none, now)
	}
	if r.Kind == packet.GREAnswer && t.flows[m.flow].egress.Source == t.target {
		return match{}, foreign // our own probe, on its way through this host
	}
	if r.Kind == packet.Decapsulated {
		m.ttl = int(min(r.Sequence, traceroute.MaxTTLLimit+1))
		if m.ttl < 1 || m.ttl > t.spec.MaxTTL || !r.HasTag || r.Tag != id.probeTag(&m, m.ttl) {
			return id.judge(m, none, now)
		}
	}
	return id.judge(m, strong, now)
}
