package ident

import (
	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// Verdict is what a received packet is.
type Verdict uint8

// The verdicts.
const (
	Matched   Verdict = iota // it answers a probe
	Late                     // it identifies a flow of a lease that is over
	Forged                   // it identifies a flow and carries too little evidence
	Unmatched                // it identifies no flow
)

// Match is what a packet was found to answer.
type Match[O any] struct {
	Owner    O
	lease    *Lease[O]
	Flow     uint16
	TTL      uint8 // 0: the packet identifies the flow only
	Evidence Evidence
}

// Match returns what a reply answers. Without a match the Verdict says why.
func (r *Registry[O]) Match(reply *packet.Reply, now mono.Instant) (Match[O], Verdict) {
	switch {
	case reply.Kind.IsError():
		return r.matchQuote(&reply.Quote, now)
	case reply.Type.Encapsulated():
		return r.matchGRE(reply, now)
	}
	switch reply.Type.Numbering() {
	case packet.BySYN:
		return r.matchSYN(reply, now)
	case packet.ByChecksum:
		return r.matchDatagram(reply, now)
	case packet.ByOrder:
		return r.matchEcho(reply, now)
	}
	return Match[O]{}, Unmatched
}

// byID looks a flow up.
func (r *Registry[O]) byID(sp packet.Space, id FlowID) (Match[O], Verdict) {
	switch ref := r.spaces[sp].refs[id]; {
	case ref.lease != nil:
		return Match[O]{Owner: ref.lease.Owner, Flow: ref.flow, lease: ref.lease}, Matched
	case ref.retired:
		return Match[O]{}, Late
	}
	return Match[O]{}, Unmatched
}

// byEndpoint looks up a flow that has its endpoint to itself.
func (r *Registry[O]) byEndpoint(e endpoint) (Match[O], Verdict) {
	id, known := r.endpoints[e]
	if !known {
		return Match[O]{}, Unmatched
	}
	return r.byID(e.space, id)
}

func (m *Match[O]) flow() *Flow { return &m.lease.flows[m.Flow] }

// probeTag is the tag of the probe with the given TTL.
func (r *Registry[O]) probeTag(m *Match[O], ttl int) uint64 {
	return r.auth.tag(m.lease.Nonce, m.lease.Type.Space(), m.flow().ID, uint8(ttl))
}

// byTag finds the TTL of a probe by its tag, looking at the given one first.
func (r *Registry[O]) byTag(m *Match[O], tag uint64, likely int) (ttl int, ok bool) {
	if likely != 0 && tag == r.probeTag(m, likely) {
		return likely, true
	}
	for ttl := 1; ttl <= m.lease.MaxTTL; ttl++ {
		if tag == r.probeTag(m, ttl) {
			return ttl, true
		}
	}
	return 0, false
}

// matchEcho accepts an echo reply that returns our data from anywhere: its
// sender has seen the request, and hosts do answer from another address. Some
// hosts return other data, or none; their replies have to come from the target
// and count as weak evidence.
func (r *Registry[O]) matchEcho(reply *packet.Reply, now mono.Instant) (Match[O], Verdict) {
	m, why := r.byID(packet.IdentifierSpace, FlowID(reply.EchoID))
	if why != Matched {
		return Match[O]{}, r.unknown(why, packet.IdentifierSpace, reply.From, now)
	}
	flow, ttl, ok := m.lease.byOrdinal(uint16(reply.Sequence))
	m.TTL = uint8(ttl)
	switch {
	case !ok || flow != int(m.Flow):
		return r.judge(m, None, now)
	case reply.HasTag && reply.Tag == r.probeTag(&m, ttl):
		return r.judge(m, Strong, now)
	case reply.From == m.lease.Target && !m.lease.Type.Encapsulated():
		return r.judge(m, Weak, now)
	}
	return r.judge(m, None, now)
}

// matchSYN accepts what acknowledges a SYN of the flow (RFC 9293 section
// 3.10.7.3). A reset may also acknowledge the SYN's own number, the number 0,
// or nothing: the last two identify the flow only, and no more than guessing a
// port takes to make them.
func (r *Registry[O]) matchSYN(reply *packet.Reply, now mono.Instant) (Match[O], Verdict) {
	sp := reply.Type.Space()
	m, why := r.byEndpoint(endpoint{sp, reply.From, reply.SourcePort, reply.TargetPort})
	if why != Matched {
		return Match[O]{}, r.unknownPort(why, sp, reply.TargetPort, reply.From, now)
	}
	f := m.flow()
	if reply.HasSequence {
		offset := reply.Sequence - f.firstSequence
		ttl, ok := f.bySYN(offset)
		if !ok && reply.Kind == packet.Reset {
			ttl, ok = f.bySYN(offset + 1)
		}
		if ok {
			m.TTL = uint8(ttl)
			return r.judge(m, Strong, now)
		}
	}
	if reply.Kind == packet.Reset && (!reply.HasSequence || reply.Sequence+1 == 0) {
		return r.judge(m, Weak, now)
	}
	return r.judge(m, None, now)
}

// matchDatagram knows the flow by its endpoint, and the TTL only when the answer
// repeats the first bytes of the probe.
func (r *Registry[O]) matchDatagram(reply *packet.Reply, now mono.Instant) (Match[O], Verdict) {
	sp := reply.Type.Space()
	m, why := r.byEndpoint(endpoint{sp, reply.From, reply.SourcePort, reply.TargetPort})
	if why != Matched {
		return Match[O]{}, r.unknownPort(why, sp, reply.TargetPort, reply.From, now)
	}
	if reply.HasSequence {
		if ttl, ok := m.flow().byChecksum16(uint16(reply.Sequence)); ok && ttl <= m.lease.MaxTTL {
			m.TTL = uint8(ttl)
		}
	}
	return r.judge(m, Weak, now)
}

// matchGRE knows the flow by its key, and the TTL only when the packet is the
// probe's keepalive.
func (r *Registry[O]) matchGRE(reply *packet.Reply, now mono.Instant) (Match[O], Verdict) {
	if !reply.HasKey {
		return Match[O]{}, Unmatched
	}
	m, why := r.byID(packet.IdentifierSpace, FlowID(reply.Key>>16))
	if why != Matched {
		return Match[O]{}, r.unknown(why, packet.IdentifierSpace, reply.From, now)
	}
	l := m.lease
	if !l.Type.Encapsulated() || reply.From != l.Target || reply.Key != m.flow().Key() {
		return r.judge(m, None, now)
	}
	if reply.Kind == packet.GREAnswer && m.flow().Source == l.Target {
		return Match[O]{}, Unmatched // our own probe, on its way through this host
	}
	if reply.Kind == packet.Decapsulated {
		m.TTL = uint8(min(reply.Sequence, MaxTTL+1))
		if m.TTL < 1 || int(m.TTL) > l.MaxTTL || !reply.HasTag || reply.Tag != r.probeTag(&m, int(m.TTL)) {
			return r.judge(m, None, now)
		}
	}
	return r.judge(m, Strong, now)
}
