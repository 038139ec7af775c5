package netsim

import (
	"encoding/binary"
	"net/netip"
)

// Protocol numbers, as IANA's registry prints them.
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoUDP         = 17
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoICMPv6      = 58
	protoDestOptions = 60
)

const (
	headerIPv4 = 20 // without options
	headerIPv6 = 40
)

// sum is the Internet checksum's one's complement sum (RFC 1071), not yet
// complemented, of b on top of initial.
func sum(b []byte, initial uint32) uint16 {
	s := uint64(initial)
	for len(b) >= 4 {
		s += uint64(binary.BigEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		s += uint64(binary.BigEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// sumAddresses is the sum of the addresses in an IP header: what the pseudo
// headers of both versions start with.
func sumAddresses(packet []byte, ipv6 bool) uint32 {
	if ipv6 {
		return uint32(sum(packet[8:40], 0))
	}
	return uint32(sum(packet[12:20], 0))
}

// transportSum is the sum over a transport segment with its pseudo header
// (RFC 768, RFC 9293 section 3.1, RFC 8200 section 8.1). ICMP for IPv4 and GRE have
// none.
func transportSum(packet []byte, ipv6 bool, protocol uint8, segment []byte) uint16 {
	if protocol == protoICMP || protocol == protoGRE {
		return sum(segment, 0)
	}
	return sum(segment, sumAddresses(packet, ipv6)+uint32(protocol)+uint32(len(segment)))
}

// checksumAt is where the checksum of a transport header is; -1 when it has
// none that is always there.
func checksumAt(protocol uint8) int {
	switch protocol {
	case protoICMP, protoICMPv6:
		return 2
	case protoUDP:
		return 6
	case protoTCP:
		return 16
	}
	return -1
}

// envelope is what goes into an IP header.
type envelope struct {
	source, target netip.Addr
	protocol       uint8
	ttl, tos       uint8
}

// newPacket returns an IP packet with its header written, and the part behind
// the header, which is zero.
func newPacket(e envelope, length int) (packet, segment []byte) {
	if e.target.Is6() {
		packet = make([]byte, headerIPv6+length)
		binary.BigEndian.PutUint32(packet, 6<<28|uint32(e.tos)<<20)
		binary.BigEndian.PutUint16(packet[4:], uint16(length))
		packet[6], packet[7] = e.protocol, e.ttl
		source, target := e.source.As16(), e.target.As16()
		copy(packet[8:], source[:])
		copy(packet[24:], target[:])
		return packet, packet[headerIPv6:]
	}
	packet = make([]byte, headerIPv4+length)
	packet[0], packet[1] = 0x45, e.tos
	binary.BigEndian.PutUint16(packet[2:], uint16(len(packet)))
	packet[8], packet[9] = e.ttl, e.protocol
	source, target := e.source.As4(), e.target.As4()
	copy(packet[12:], source[:])
	copy(packet[16:], target[:])
	sealHeader(packet)
	return packet, packet[headerIPv4:]
}

// sealHeader writes the checksum of an IPv4 header.
func sealHeader(packet []byte) {
	header := packet[:int(packet[0]&0xf)*4]
	binary.BigEndian.PutUint16(header[10:], 0)
	binary.BigEndian.PutUint16(header[10:], ^sum(header, 0))
}

// seal writes the checksum of the segment of a packet made by newPacket.
func seal(packet, segment []byte, protocol uint8) {
	at := checksumAt(protocol)
	if at < 0 {
		return
	}
	binary.BigEndian.PutUint16(segment[at:], 0)
	check := ^transportSum(packet, packet[0]>>4 == 6, protocol, segment)
	if check == 0 && protocol == protoUDP {
		check = 0xffff // 0 would say that there is none (RFC 768)
	}
	binary.BigEndian.PutUint16(segment[at:], check)
}

// adjust updates a checksum for data that changed from one sum to another
// (RFC 1624 equation 3).
func adjust(check []byte, from, to uint16) {
	s := uint32(^binary.BigEndian.Uint16(check)) + uint32(^from) + uint32(to)
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	binary.BigEndian.PutUint16(check, ^uint16(s))
}
