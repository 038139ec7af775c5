package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
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

	segment uint8 // offset of the segment that names the probe
	kind    Type
	ipv6    bool
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
		kind:    flow.Type,
		ipv6:    flow.Source.Is6(),
	}
	if !t.ipv6 {
		clear(b[ipv4Checksum : ipv4Checksum+2])
		t.headerSum = fold(sum(b[:ipv4HeaderLen]))
	}
	t.segmentSum = prepareSegment(b, int(t.segment), &flow)
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
	other.segmentSum = prepareSegment(other.bytes, int(other.segment), &flow)
	return &other, nil
}

// source returns the address that the flow's packets leave from.
func (t *Template) source() netip.Addr {
	if t.ipv6 {
		return netip.AddrFrom16([16]byte(t.bytes[ipv6Source : ipv6Source+16]))
	}
	return netip.AddrFrom4([4]byte(t.bytes[ipv4Source : ipv4Source+4]))
}

// name puts what tells the flows of a trace apart into the packet.
func (t *Template) name(flow *Flow) {
	if t.ipv6 {
		putFlowLabel(t.bytes, flow.FlowLabel)
	}
	if t.kind == GRE || t.kind == GREEcho {
		gre := ipv4HeaderLen
		if t.ipv6 {
			gre = ipv6HeaderLen
			putFlowLabel(t.bytes[gre+greInner:], flow.FlowLabel)
		}
		binary.BigEndian.PutUint32(t.bytes[gre+greKey:], flow.Key)
	}
	segment := t.bytes[t.segment:]
	switch t.kind {
	case ICMP, GREEcho:
		binary.BigEndian.PutUint16(segment[icmpID:], flow.EchoID)
	case UDP:
		binary.BigEndian.PutUint16(segment, flow.SourcePort)
	case TCP:
		binary.BigEndian.PutUint16(segment, flow.SourcePort)
	case GRE:
		binary.BigEndian.PutUint32(segment[greKey:], flow.Key)
	}
}

// putFlowLabel writes the lower 20 bits of an IPv6 header's first word.
func putFlowLabel(b []byte, label uint32) {
	word := binary.BigEndian.Uint32(b)&^maxFlowLabel | label
	binary.BigEndian.PutUint32(b, word)
}

func (f *Flow) validate() error {
	switch {
	case f.Type < ICMP || f.Type > GREEcho:
		return errors.New("no such type")
	case !probeable(f.Source), !probeable(f.Target):
		return errors.New("an address is unset, IPv4-mapped or zoned")
	case f.Source.Is4() != f.Target.Is4():
		return errors.New("addresses of two families")
	case (f.Type == UDP || f.Type == TCP) && (f.SourcePort == 0 || f.TargetPort == 0):
		return errors.New("port 0")
	case (f.Type == ICMP || f.Type == GREEcho) && f.Checksum == 0xffff:
		return errors.New("no packet has the checksum 0xffff")
	case f.FlowLabel > maxFlowLabel:
		return errors.New("flow label of more than 20 bits")
	}
	return nil
}

// probeable reports whether a can stand in an IP header of its family.
func probeable(a netip.Addr) bool {
	return a.IsValid() && !a.IsUnspecified() && !a.Is4In6() && a.Zone() == ""
}

// prepareSegment sets the segment's checksum to its share in every probe and
// returns the sum of all that Build leaves alone.
func prepareSegment(b []byte, offset int, flow *Flow) uint16 {
	segment := b[offset:]
	switch flow.Type {
	case ICMP, GREEcho:
		binary.BigEndian.PutUint16(segment[icmpChecksum:], flow.Checksum)
	case UDP:
		clear(segment[udpChecksum : udpChecksum+2])
	case TCP:
		clear(segment[tcpChecksum : tcpChecksum+2])
	case GRE:
		return 0 // a keepalive has no checksum
	}
	s := sum(segment)
	if flow.Source.Is6() {
		// The addresses end where the segment starts: probes carry no
		// extension headers.
		s += pseudoHeaderSum(b[offset-32:offset], segmentProtocol(flow.Type, true), segmentLen)
	} else if flow.Type == UDP || flow.Type == TCP {
		s += pseudoHeaderSum(b[offset-8:offset], segmentProtocol(flow.Type, false), segmentLen)
	}
	return fold(s)
}

// Len returns the length in bytes of the flow's probe with the given TTL, at
// most MaxProbeLen.
func (t *Template) Len(ttl uint8) int { return len(t.bytes) + t.padding(ttl) }

// TTLOf is the inverse of Len, for the total length of a quoted GRE probe as
// its IPv4 header gives it. ok is false for flows whose probes are all of one
// length, and for a length that no probe of the flow has.
func (t *Template) TTLOf(length uint32) (ttl uint8, ok bool) {
	padding := int(length) - len(t.bytes)
	if !t.padded() || padding < 0 || padding > MaxPadding {
		return 0, false
	}
	return uint8(padding) + 1, true
}

// padding is the number of bytes behind the inner packet of a GRE probe.
func (t *Template) padding(ttl uint8) int {
	if !t.padded() {
		return 0
	}
	return min(int(ttl)-1, MaxPadding)
}

func (t *Template) padded() bool { return !t.ipv6 && (t.kind == GRE || t.kind == GREEcho) }

// Build writes the probe that m describes to the start of dst, which must have
// room (capacity) for MaxProbeLen bytes, and returns its length. It does not
// check m: see Mark for what its fields must not be.
func (t *Template) Build(dst []byte, m Mark) int {
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
	segment := dst[t.segment:]
	segment = segment[:segmentLen]
	switch t.kind {
	case ICMP, GREEcho:
		patchEcho(segment, t.segmentSum, m)
	case UDP:
		patchUDP(segment, t.segmentSum, m)
	case TCP:
		patchTCP(segment, t.segmentSum, m)
	case GRE:
		binary.BigEndian.PutUint32(segment[keepaliveSequence:], m.Sequence)
		binary.BigEndian.PutUint64(segment[keepaliveTag:], m.Tag)
	}
	return len(dst)
}

func patchEcho(b []byte, base uint16, m Mark) {
	sequence := uint16(m.Sequence)
	binary.BigEndian.PutUint16(b[icmpSequence:], sequence)
	binary.BigEndian.PutUint64(b[echoTag:], m.Tag)
	s := uint64(base) + uint64(sequence) + sum64(m.Tag)
	binary.BigEndian.PutUint16(b[echoBalance:], ^fold(s))
}

func patchUDP(b []byte, base uint16, m Mark) {
	sequence := uint16(m.Sequence)
	binary.BigEndian.PutUint16(b[udpChecksum:], sequence)
	binary.BigEndian.PutUint16(b[udpSequence:], sequence)
	binary.BigEndian.PutUint64(b[udpTag:], m.Tag)
	s := uint64(base) + 2*uint64(sequence) + sum64(m.Tag)
	binary.BigEndian.PutUint16(b[udpBalance:], ^fold(s))
}

func patchTCP(b []byte, base uint16, m Mark) {
	timestamp := uint32(m.Tag)
	binary.BigEndian.PutUint32(b[tcpSequence:], m.Sequence)
	binary.BigEndian.PutUint32(b[tcpTimestamp:], timestamp)
	s := uint64(base) + uint64(m.Sequence) + uint64(timestamp)
	binary.BigEndian.PutUint16(b[tcpChecksum:], ^fold(s))
}
