package prober

import (
	"fmt"
	"net/netip"

	"probe-agent/packet"
)

// flow is one of the parallel paths that a trace follows: all its probes look
// alike to whatever balances load.
type flow struct {
	handle   handle
	template *packet.Template
	egress   egress

	sourcePort uint16 // UDP, TCP
	tag        uint64 // keyed; its parts below ride in fixed fields
	ended      uint8  // TTL whose answer ended the path (target or unreachable); 0 while unknown
	arrived    bool   // the target's answer did
	heard      uint8  // highest TTL answered from on the way
	inferred   int    // answers that named the flow, but no TTL
}

// egress is how a flow's packets leave the host.
type egress struct {
	source netip.Addr
	index  int // of the interface that they must leave through; 0: the routing table decides
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

// ipid is the IPv4 identification of the TTL's probe. The upper ten bits
// belong to the flow and are never all zero.
func (f *flow) ipid(ttl uint8) uint16 {
	base := uint16(f.tag >> 48)
	if base>>ttlBits == 0 {
		base |= 1 << 15
	}
	return base ^ uint16(ttl-1)
}

// ttlOf is the inverse of ipid; ok is false when the identification is not
// one of this flow.
func (f *flow) ttlOf(ipid uint16) (ttl uint8, ok bool) {
	x := ipid ^ f.ipid(1)
	return uint8(x) + 1, x <= ttlMask
}

// craft makes the packet template of every flow: the first one is crafted,
// the others are made after it.
func (t *trace) craft() error {
	for i := range t.flows {
		f := &t.flows[i]
		wanted := packet.Flow{
			Type:       t.typ,
			Source:     f.egress.source,
			Target:     t.target,
			SourcePort: f.sourcePort,
			TargetPort: t.port,
			EchoID:     uint16(f.handle),
			Checksum:   f.checksum(),
			Key:        f.key(),
			FlowLabel:  f.label(),
		}
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
