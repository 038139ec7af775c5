package packet

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// What Parse says of a packet that is no reply. All of them are ordinary on a
// raw socket, which sees the traffic of the whole host.
var (
	// ErrTruncated: the packet, or the quote in it, ends before what it takes
	// to name a probe.
	ErrTruncated = errors.New("packet: truncated")
	// ErrMalformed: a length, version or checksum is wrong.
	ErrMalformed = errors.New("packet: malformed")
	// ErrForeign: well-formed as far as it was read, but nothing that a probe
	// can cause.
	ErrForeign = errors.New("packet: not a reply to any probe")
)

// Parse reads a received packet into r, which it overwrites whole. It fails
// with ErrTruncated, ErrMalformed or ErrForeign, unwrapped; then r.Kind is 0
// and the rest of r means nothing.
//
// Checksums of ICMP are verified, since raw sockets hand IPv4 packets over
// unverified. Those of ICMPv6 are the kernel's work (RFC 3542 section 3.1).
// Those of TCP and UDP are left alone: between two network namespaces or on
// loopback they are not filled in.
//
// A quote must hold 8 bytes behind its IP header (RFC 792), unless it is of a
// fragment other than the first. Nothing in it is trusted beyond its bounds;
// it is for the caller to compare it with what was sent.
func Parse(in *Incoming, r *Reply) error {
	r.reset()
	var err error
	if in.IPv6 {
		err = parseIPv6(in, r)
	} else {
		err = parseIPv4(in.Bytes, r)
	}
	if err != nil {
		r.Kind = 0
	}
	return err
}

// reset clears r but for the arrays of Extensions, of which the counts tell
// what is valid: clearing a kilobyte would cost more than the parsing.
func (r *Reply) reset() {
	r.Kind, r.Type, r.Code, r.IPv6 = 0, 0, 0, false
	r.From, r.To = netip.Addr{}, netip.Addr{}
	r.TTL, r.TOS = 0, 0
	r.SourcePort, r.TargetPort, r.EchoID = 0, 0, 0
	r.Sequence, r.HasSequence = 0, false
	r.Key, r.HasKey = 0, false
	r.Tag, r.HasTag = 0, false
	r.MTU, r.Pointer = 0, 0
	r.Quote = Quote{}
	r.Extensions.reset()
}

// parseIPv4 reads a packet from its IPv4 header on (RFC 791 section 3.1). The
// kernel has verified the header's checksum.
func parseIPv4(b []byte, r *Reply) error {
	if len(b) < ipv4HeaderLen {
		return ErrTruncated
	}
	headerLen := int(b[0]&0x0f) * 4
	total := int(binary.BigEndian.Uint16(b[ipv4TotalLen:]))
	switch {
	case b[0]>>4 != 4, headerLen < ipv4HeaderLen, total < headerLen:
		return ErrMalformed
	case total > len(b):
		return ErrTruncated
	case binary.BigEndian.Uint16(b[ipv4Fragment:])&fragmentOffset != 0:
		return ErrForeign // the kernel reassembles before it delivers
	}
	r.TTL, r.TOS = b[ipv4TTL], b[ipv4TOS]
	r.From, r.To = addr4(b[ipv4Source:]), addr4(b[ipv4Target:])
	segment := b[headerLen:total]
	if b[ipv4Protocol] == protocolICMP {
		return parseICMPv4(segment, r)
	}
	return parseDirect(b[ipv4Protocol], segment, r)
}

// parseIPv6 reads a packet from behind its IPv6 header and extension headers.
func parseIPv6(in *Incoming, r *Reply) error {
	r.IPv6 = true
	r.TTL, r.TOS = in.HopLimit, in.TrafficClass
	r.From, r.To = in.From, in.To
	if in.Protocol == protocolICMPv6 {
		return parseICMPv6(in.Bytes, r)
	}
	return parseDirect(in.Protocol, in.Bytes, r)
}

func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }

func addr16(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])) }

// parseDirect reads what the target itself sends, ICMP apart.
func parseDirect(protocol uint8, b []byte, r *Reply) error {
	r.Type = answeredBy(protocol, r.IPv6)
	if !r.Type.valid() || r.Type.row().codec.answer == nil {
		return ErrForeign
	}
	return r.Type.row().codec.answer(b, r)
}

// ports reads the ports that a header starts with.
func ports(b []byte) (source, target uint16) {
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
}
