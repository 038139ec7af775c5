package ident

import (
	"net/netip"
	"slices"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// FlowID identifies a flow within its space.
type FlowID uint16

// Flow is the identity of one flow: all its probes look alike to whatever
// balances load.
type Flow struct {
	ID         FlowID
	SourcePort uint16     // of types with ports
	Source     netip.Addr // that its packets leave from; the owner sets it

	tag uint64 // keyed; its parts below are carried in fixed fields

	// BySYN: the sequence number and timestamp value of the flow's first SYN,
	// and the TTLs of its SYNs in the order of sending.
	firstSequence, firstTimestamp uint32
	order                         []uint8
	repeats                       bool // all SYNs have the first one's sequence number
}

// The parts of a flow's tag that are carried in fields which routers quote.
// None of them may take a value that a header field cannot hold or that the
// kernel or a middlebox would fill in.

// Checksum is the ICMP checksum of every echo request of the flow.
func (f *Flow) Checksum() uint16 { return uint16(f.tag)%0xfffd + 1 }

// label is the IPv6 flow label.
func (f *Flow) label() uint32 { return uint32(f.tag>>16)%0xfffff + 1 }

// Key is the GRE key: the identifier and 16 bits that authenticate it.
func (f *Flow) Key() uint32 { return uint32(f.ID)<<16 | uint32(uint16(f.tag>>36)) }

// ipid is the IPv4 identification of the TTL's probe.
func (f *Flow) ipid(ttl uint8) uint16 { return block(f.tag>>48) ^ uint16(ttl-1) }

// byIPID is the inverse of ipid; ok is false when the identification is not
// one of this flow.
func (f *Flow) byIPID(ipid uint16) (ttl int, ok bool) { return inBlock(ipid, f.tag>>48) }

// checksum16 is the checksum of the TTL's probe, where it numbers the probes.
func (f *Flow) checksum16(ttl uint8) uint16 { return block(f.tag) ^ uint16(ttl-1) }

// byChecksum16 is the inverse of checksum16.
func (f *Flow) byChecksum16(sum uint16) (ttl int, ok bool) { return inBlock(sum, f.tag) }

// ttlBits is the size of a probe's TTL - 1 within a field that it shares.
const (
	ttlBits = 6
	ttlMask = 1<<ttlBits - 1
)

// block is the number of TTL 1 in a 16-bit field, of which ten bits identify
// the flow and the others, by exclusive or with TTL-1, the TTL. No number of a
// block is 0 or 0xffff: the kernel replaces the identification 0, and a UDP
// checksum of 0 means none (RFC 768), as which 0xffff is sent.
func block(tag uint64) uint16 {
	base := uint16(tag)
	if ten := base >> ttlBits; ten == 0 || ten == 1<<(16-ttlBits)-1 {
		base ^= 1 << 15
	}
	return base
}

func inBlock(number uint16, tag uint64) (ttl int, ok bool) {
	x := number ^ block(tag)
	return int(x) + 1, x <= ttlMask
}

// The sequence numbers of a flow's SYNs rise by 2 with each, and so do the
// timestamp values, like those of a host that tries again and again, all
// within 512: stateful firewalls pass the SYNs and what answers them, and a
// target that still holds the state of an earlier one answers with a reset
// that acknowledges the later (RFC 9293 section 3.10.7.4). Odd numbers are left
// out, because some hosts acknowledge a SYN's own number.
const (
	synStep    = 2
	synNumbers = 256 // each flow's
	synSpan    = synStep * synNumbers
)

// synClock is how often the first sequence number of an endpoint rises by
// synSpan (RFC 9293 section 3.4.1), so that a later trace on it continues
// within the window of a target that has kept the state of an earlier one.
const synClock = 64 * time.Millisecond

// startSequence chooses the flow's first sequence number and timestamp value,
// as RFC 6528 section 3 does: a keyed value of the endpoint, and the time.
func (f *Flow) startSequence(keyed uint64, now mono.Instant) {
	passed := uint32(now/mono.Instant(synClock)) * synSpan
	f.firstSequence = uint32(keyed)&^(synSpan-1) + passed
	f.firstTimestamp = uint32(keyed>>32)&^(synSpan-1) + passed
}

// withdrawn marks the TTL of a SYN that was not sent.
const withdrawn = 0x80

// nextSYN adds a SYN with the given TTL to the order of sending, and returns its
// place in it. Places of SYNs that were not sent are used again, so that one
// is left for each TTL.
func (f *Flow) nextSYN(ttl uint8) uint32 {
	for len(f.order) > 0 && f.order[len(f.order)-1]&withdrawn != 0 {
		f.order = f.order[:len(f.order)-1]
	}
	if len(f.order) == synNumbers {
		f.order = f.order[:synNumbers-1]
	}
	f.order = append(f.order, ttl)
	return uint32(len(f.order) - 1)
}

func (f *Flow) withdrawSYN(ttl uint8) {
	for {
		at := slices.Index(f.order, ttl)
		if at < 0 {
			return
		}
		f.order[at] |= withdrawn
	}
}

// bySYN finds the TTL of a SYN by how far its number is from the flow's first.
func (f *Flow) bySYN(offset uint32) (ttl int, ok bool) {
	place := offset / synStep
	if offset%synStep != 0 || int(place) >= len(f.order) {
		return 0, false
	}
	return int(f.order[place] &^ withdrawn), true
}

// Wire returns what all packets of a flow have in common.
func (l *Lease[O]) Wire(flow int) packet.Flow {
	f := &l.flows[flow]
	return packet.Flow{
		Type:       l.Type,
		Source:     f.Source,
		Target:     l.Target,
		SourcePort: f.SourcePort,
		TargetPort: l.Port,
		EchoID:     uint16(f.ID),
		Checksum:   f.Checksum(),
		Key:        f.Key(),
		FlowLabel:  f.label(),
	}
}
