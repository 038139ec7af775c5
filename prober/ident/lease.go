package ident

import (
	"net/netip"

	"probe-agent/packet"
)

// MaxTTL is the highest TTL of a probe.
const MaxTTL = 1 << ttlBits

// Lease is the identity of the probes that one owner sends to one target by one
// type. The exported fields are set before the first Reserve and stay as they
// are.
type Lease[O any] struct {
	Owner  O
	Type   packet.Type
	Target netip.Addr
	// Port is the destination port of types with ports, and the first sequence
	// number where the numbering is ByOrder.
	Port   uint16
	MaxTTL int    // 1 to MaxTTL
	Nonce  uint64 // random: makes the keyed values of two leases differ

	flows  []Flow
	order  []uint32 // ByOrder: probes by order of sending, see pack
	forged int
}

// Flows returns the number of flows that the lease has.
func (l *Lease[O]) Flows() int { return len(l.flows) }

// Flow returns the identity of a flow. It is valid until the lease gets
// further flows.
func (l *Lease[O]) Flow(flow int) *Flow { return &l.flows[flow] }

// Forged returns how many packets identified a flow of the lease and failed
// authentication, those of Forgery included.
func (l *Lease[O]) Forged() int { return l.forged }

// Forgery counts a packet that matched a probe which was never sent.
func (l *Lease[O]) Forgery() { l.forged++ }

// Probe is called for each probe before it is sent, in the order of sending,
// and returns what it carries.
func (r *Registry[O]) Probe(l *Lease[O], flow int, ttl uint8) packet.ProbeID {
	f := &l.flows[flow]
	m := packet.ProbeID{TTL: ttl, IPID: f.ipid(ttl)}
	switch l.Type.Numbering() {
	case packet.BySYN:
		offset := f.nextSYN(ttl) * synStep
		m.Sequence, m.Tag = f.firstSequence+offset, uint64(f.firstTimestamp+offset)
		if f.repeats {
			m.Sequence = f.firstSequence
		}
		return m
	case packet.ByOrder:
		if l.order == nil {
			l.order = make([]uint32, 0, len(l.flows)*l.MaxTTL)
		}
		m.Sequence = uint32(l.Port + uint16(len(l.order)))
		l.order = append(l.order, pack(flow, ttl))
	case packet.ByChecksum:
		m.Sequence = uint32(f.checksum16(ttl))
	case packet.ByTTL:
		m.Sequence = uint32(ttl)
	}
	m.Tag = r.auth.tag(l.Nonce, l.Type.Space(), f.ID, ttl)
	return m
}

// Withdraw notes that the latest probe of a flow and TTL was not sent. After
// Release it does nothing: the host may refuse a probe only then.
func (l *Lease[O]) Withdraw(flow int, ttl uint8) {
	if flow < len(l.flows) {
		l.flows[flow].withdrawSYN(ttl)
	}
}

// pack puts a flow and a TTL into one number.
func pack(flow int, ttl uint8) uint32 { return uint32(flow)<<ttlBits | uint32(ttl-1) }

// byOrdinal finds a probe by its sequence number, where these rise by one.
func (l *Lease[O]) byOrdinal(sequence uint16) (flow, ttl int, ok bool) {
	n := int(sequence - l.Port)
	if n >= len(l.order) {
		return 0, 0, false
	}
	return int(l.order[n] >> ttlBits), int(l.order[n]&ttlMask) + 1, true
}

// TxID identifies the probe of a flow and TTL in a transmit timestamp.
func (l *Lease[O]) TxID(flow int, ttl uint8) uint32 {
	return uint32(l.Type.Space())<<(16+ttlBits) | pack(int(l.flows[flow].ID), ttl)
}

// ByTxID finds the probe of a TxID. ok is false when the flow is not leased.
func (r *Registry[O]) ByTxID(id uint32) (m Match[O], ok bool) {
	sp, flow, ttl := packet.Space(id>>(16+ttlBits)), FlowID(id>>ttlBits), int(id&ttlMask)+1
	if int(sp) >= packet.Spaces || r.spaces[sp] == nil {
		return Match[O]{}, false
	}
	m, verdict := r.byID(sp, flow)
	m.TTL = uint8(ttl)
	if verdict != Matched || ttl > m.lease.MaxTTL {
		return Match[O]{}, false
	}
	return m, true
}
