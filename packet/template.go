package packet

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Template is the crafted packet of a flow, from which its probes are built.
// It does not change once made, and may be used by several goroutines.
type Template struct {
	bytes []byte // the packet, with everything that Build patches left 0

	// Folded sums of what Build leaves alone: of the IPv4 header, and of the
	// segment with its pseudo header.
	headerSum, segmentSum uint16

	segment uint8 // offset of the segment that identifies the probe
	ipv6    bool
	tunnel  bool // the segment is inside GRE
	codec   *codec
}

// NewTemplate crafts the packet that all probes of flow start from. It fails
// when the flow cannot be probed: an unknown type, addresses that are unset,
// of two families, IPv4-mapped or zoned, a port 0 for UDP and TCP, the echo
// checksum 0xffff (no packet has it: one's-complement arithmetic yields 0
// instead), or a flow label of more than 20 bits.
func NewTemplate(flow Flow) (*Template, error) {
	if err := flow.validate(); err != nil {
		return nil, fmt.Errorf("packet: %s flow from %v to %v: %w", flow.Type, flow.Source, flow.Target, err)
	}
	b, err := craft(&flow)
	if err != nil {
		return nil, fmt.Errorf("packet: crafting %s flow from %v to %v: %w", flow.Type, flow.Source, flow.Target, err)
	}
	t := &Template{
		bytes:   b,
		segment: uint8(len(b) - segmentLen),
		ipv6:    flow.Source.Is6(),
		tunnel:  flow.Type.Encapsulated(),
		codec:   flow.Type.row().codec,
	}
	if !t.ipv6 {
		clear(b[ipv4Checksum : ipv4Checksum+2])
		t.headerSum = fold(sum(b[:ipv4HeaderLen]))
	}
	t.name(&flow)
	return t, nil
}

// For returns the template of another flow of the same trace: one that differs
// from t's in Source, SourcePort, EchoID, Checksum, Key and FlowLabel only. It
// is the same as NewTemplate's, without crafting anything as long as the source
// is the same, and fails likewise.
func (t *Template) For(flow Flow) (*Template, error) {
	if flow.Source != t.source() {
		return NewTemplate(flow)
	}
	if err := flow.validate(); err != nil {
		return nil, fmt.Errorf("packet: %s flow from %v to %v: %w", flow.Type, flow.Source, flow.Target, err)
	}
	other := *t
	other.bytes = bytes.Clone(t.bytes)
	other.name(&flow)
	return &other, nil
}

// source returns the address that the flow's packets leave from.
func (t *Template) source() netip.Addr {
	if t.ipv6 {
		return netip.AddrFrom16([16]byte(t.bytes[ipv6Source : ipv6Source+16]))
	}
	return netip.AddrFrom4([4]byte(t.bytes[ipv4Source : ipv4Source+4]))
}

// name writes what differs between the flows of a trace into the packet, and
// sums up what Build leaves alone.
func (t *Template) name(flow *Flow) {
	if t.ipv6 {
		putFlowLabel(t.bytes, flow.FlowLabel)
	}
	if t.tunnel {
		gre := ipv4HeaderLen
		if t.ipv6 {
			gre = ipv6HeaderLen
			putFlowLabel(t.bytes[gre+greInner:], flow.FlowLabel)
		}
		binary.BigEndian.PutUint32(t.bytes[gre+greKey:], flow.Key)
	}
	segment := t.bytes[t.segment:]
	t.codec.name(segment, *flow)
	s := sum(segment)
	switch {
	case t.ipv6:
		// The addresses end where the segment starts: probes carry no
		// extension headers.
		s += pseudoHeaderSum(t.bytes[t.segment-32:t.segment], t.codec.protocol[1], segmentLen)
	case t.codec.pseudo:
		s += pseudoHeaderSum(t.bytes[t.segment-8:t.segment], t.codec.protocol[0], segmentLen)
	}
	t.segmentSum = fold(s)
}

// putFlowLabel writes the lower 20 bits of an IPv6 header's first word.
func putFlowLabel(b []byte, label uint32) {
	word := binary.BigEndian.Uint32(b)&^maxFlowLabel | label
	binary.BigEndian.PutUint32(b, word)
}

// probeable reports whether a can stand in an IP header of its family.
func probeable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.Is4In6() && a.Zone() == ""
}

// Len returns the length in bytes of the flow's probe with the given TTL, at
// most MaxProbeLen.
func (t *Template) Len(ttl uint8) int { return len(t.bytes) + t.padding(ttl) }

// padding is the number of bytes behind the inner packet of a GRE probe.
func (t *Template) padding(ttl uint8) int {
	if !t.tunnel || t.ipv6 {
		return 0
	}
	return min(int(ttl)-1, MaxPadding)
}

// Build writes the probe that m describes to the start of dst, which must have
// room (capacity) for MaxProbeLen bytes, and returns its length. It does not
// check m: see ProbeID for what its fields must not be.
func (t *Template) Build(dst []byte, m ProbeID) int {
	padding := t.padding(m.TTL)
	dst = dst[:len(t.bytes)+padding]
	copy(dst, t.bytes)
	clear(dst[len(t.bytes):])
	if t.ipv6 {
		dst[ipv6HopLimit] = m.TTL
	} else {
		binary.BigEndian.PutUint16(dst[ipv4TotalLen:], uint16(len(dst)))
		binary.BigEndian.PutUint16(dst[ipv4ID:], m.IPID)
		dst[ipv4TTL] = m.TTL
		s := uint64(t.headerSum) + uint64(padding) + uint64(m.IPID) + uint64(m.TTL)<<8
		binary.BigEndian.PutUint16(dst[ipv4Checksum:], ^fold(s))
	}
	t.codec.patch(dst[t.segment:][:segmentLen], t.segmentSum, m)
	return len(dst)
}
