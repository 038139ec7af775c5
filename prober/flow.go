package prober

import (
	"fmt"
	"slices"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
)

// flow is one of the parallel paths that a trace follows: all its probes look
// alike to whatever balances load.
type flow struct {
	handle   handle
	template *packet.Template
	egress   pacing.Egress

	sourcePort uint16 // UDP, TCP
	tag        uint64 // keyed; its parts below are carried in fixed fields

	// TCP: the sequence number and timestamp value that the flow's first SYN
	// carries, and the TTLs of its SYNs in the order of sending.
	firstSequence, firstTimestamp uint32
	order                         []uint8

	ended    uint8 // TTL whose answer ended the path (target or unreachable); 0 while unknown
	arrived  bool  // the target's answer did
	heard    uint8 // highest TTL answered from on the way
	inferred int   // answers that named the flow, but no TTL
}

// The parts of a flow's tag that ride in fields which routers quote. None of
// them may take a value that a header field cannot hold or that the kernel or
// a middlebox would fill in.

// checksum is the ICMP checksum of every echo request of the flow.
func (f *flow) checksum() uint16 { return uint16(f.tag)%0xfffd + 1 }

// label is the IPv6 flow label.
func (f *flow) label() uint32 { return uint32(f.tag>>16)%0xfffff + 1 }

// key is the GRE key: the handle and 16 bits that prove it.
func (f *flow) key() uint32 { return uint32(f.handle)<<16 | uint32(uint16(f.tag>>36)) }

// ipid is the IPv4 identification of the TTL's probe.
func (f *flow) ipid(ttl uint8) uint16 { return block(f.tag>>48) ^ uint16(ttl-1) }

// byIPID is the inverse of ipid; ok is false when the identification is not
// one of this flow.
func (f *flow) byIPID(ipid uint16) (ttl int, ok bool) { return inBlock(ipid, f.tag>>48) }

// udpChecksum is the checksum of the TTL's UDP probe.
func (f *flow) udpChecksum(ttl uint8) uint16 { return block(f.tag) ^ uint16(ttl-1) }

// byUDPChecksum is the inverse of udpChecksum.
func (f *flow) byUDPChecksum(sum uint16) (ttl int, ok bool) { return inBlock(sum, f.tag) }

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
func (f *flow) startSequence(keyed uint64, now mono.Instant) {
	passed := uint32(now/mono.Instant(synClock)) * synSpan
	f.firstSequence = uint32(keyed)&^(synSpan-1) + passed
	f.firstTimestamp = uint32(keyed>>32)&^(synSpan-1) + passed
}

// nextSYN adds a SYN with the given TTL to the order of sending, and returns its
// place in it. Places of SYNs that the host has refused are used again, so
// that one is left for each TTL.
func (t *trace) nextSYN(flow int, ttl uint8) uint32 {
	f := t.flowAt(flow)
	for last, earlier := range slices.Backward(f.order) {
		if earlier != ttl && t.slotAt(flow, int(earlier)).state == sent {
			break
		}
		f.order = f.order[:last]
	}
	if len(f.order) == synNumbers {
		f.order = f.order[:synNumbers-1]
	}
	f.order = append(f.order, ttl)
	return uint32(len(f.order) - 1)
}

// bySYN finds the TTL of a SYN by how far its number is from the flow's first.
func (f *flow) bySYN(offset uint32) (ttl int, ok bool) {
	place := offset / synStep
	if offset%synStep != 0 || int(place) >= len(f.order) {
		return 0, false
	}
	return int(f.order[place]), true
}

// wireFlow is what all packets of a flow have in common.
func (t *trace) wireFlow(f *flow) packet.Flow {
	return packet.Flow{
		Type:       t.typ,
		Source:     f.egress.Source,
		Target:     t.target,
		SourcePort: f.sourcePort,
		TargetPort: t.port,
		EchoID:     uint16(f.handle),
		Checksum:   f.checksum(),
		Key:        f.key(),
		FlowLabel:  f.label(),
	}
}

// craft makes the packet template of every flow: the first one is crafted,
// the others are made after it.
func (t *trace) craft() error {
	for i := range t.flows {
		f := &t.flows[i]
		wanted := t.wireFlow(f)
		var err error
		if i == 0 {
			f.template, err = packet.NewTemplate(wanted)
		} else {
			f.template, err = t.flows[0].template.For(wanted)
		}
		if err != nil {
			return fmt.Errorf("prober: probe for %v: %w", t.target, err)
		}
	}
	return nil
}
