package netsim

import (
	"encoding/binary"
	"net/netip"
)

// datagram is a view of an IP packet on its way.
type datagram struct {
	bytes     []byte // cut to the length that the header says
	ipv6      bool
	protocol  uint8 // of the transport header
	transport int   // where the transport header starts
	later     bool  // a later fragment: there is no transport header
}

// readDatagram reads what a router needs of a packet. It reports false for
// what a router would drop unseen: truncated, of no known version, or with a
// wrong IPv4 header checksum.
func readDatagram(b []byte) (datagram, bool) {
	if len(b) == 0 {
		return datagram{}, false
	}
	switch b[0] >> 4 {
	case 4:
		return readIPv4(b)
	case 6:
		return readIPv6(b)
	}
	return datagram{}, false
}

func readIPv4(b []byte) (datagram, bool) {
	if len(b) < headerIPv4 {
		return datagram{}, false
	}
	header, total := int(b[0]&0xf)*4, int(binary.BigEndian.Uint16(b[2:]))
	if header < headerIPv4 || total < header || total > len(b) || sum(b[:header], 0) != 0xffff {
		return datagram{}, false
	}
	d := datagram{bytes: b[:total], protocol: b[9], transport: header}
	d.later = binary.BigEndian.Uint16(b[6:])&0x1fff != 0
	return d, true
}

func readIPv6(b []byte) (datagram, bool) {
	if len(b) < headerIPv6 {
		return datagram{}, false
	}
	total := headerIPv6 + int(binary.BigEndian.Uint16(b[4:]))
	if total > len(b) {
		return datagram{}, false
	}
	d := datagram{bytes: b[:total], ipv6: true, protocol: b[6], transport: headerIPv6}
	for d.transport+8 <= total {
		extension := d.bytes[d.transport:]
		length := 8
		switch d.protocol {
		case protoHopByHop, protoRouting, protoDestOptions:
			length += int(extension[1]) * 8
		case protoFragment:
			d.later = binary.BigEndian.Uint16(extension[2:])&0xfff8 != 0
		default:
			return d, true
		}
		d.protocol = extension[0]
		d.transport += length
		if d.later {
			break
		}
	}
	return d, d.transport <= total
}

func (d *datagram) source() netip.Addr {
	if d.ipv6 {
		return netip.AddrFrom16([16]byte(d.bytes[8:24]))
	}
	return netip.AddrFrom4([4]byte(d.bytes[12:16]))
}

func (d *datagram) target() netip.Addr {
	if d.ipv6 {
		return netip.AddrFrom16([16]byte(d.bytes[24:40]))
	}
	return netip.AddrFrom4([4]byte(d.bytes[16:20]))
}

func (d *datagram) ttl() uint8 {
	if d.ipv6 {
		return d.bytes[7]
	}
	return d.bytes[8]
}

// setTTL leaves the header checksum to be sealed.
func (d *datagram) setTTL(ttl uint8) {
	if d.ipv6 {
		d.bytes[7] = ttl
	} else {
		d.bytes[8] = ttl
	}
}

func (d *datagram) setTOS(tos uint8) {
	if d.ipv6 {
		word := binary.BigEndian.Uint16(d.bytes)&0xf00f | uint16(tos)<<4
		binary.BigEndian.PutUint16(d.bytes, word)
	} else {
		d.bytes[1] = tos
	}
}

func (d *datagram) setIPID(id uint16) {
	if !d.ipv6 {
		binary.BigEndian.PutUint16(d.bytes[4:], id)
	}
}

func (d *datagram) setSource(addr netip.Addr) {
	if d.ipv6 {
		d.setAddress(8, addr)
	} else {
		d.setAddress(12, addr)
	}
}

func (d *datagram) setTarget(addr netip.Addr) {
	if d.ipv6 {
		d.setAddress(24, addr)
	} else {
		d.setAddress(16, addr)
	}
}

// setAddress changes an address and, through the pseudo header, the transport
// checksum.
func (d *datagram) setAddress(at int, addr netip.Addr) {
	to := addr.AsSlice()
	field := d.bytes[at : at+len(to)]
	if d.protocol != protoICMP {
		d.adjustTransport(sum(field, 0), sum(to, 0))
	}
	copy(field, to)
}

func (d *datagram) setSourcePort(port uint16) {
	if (d.protocol != protoTCP && d.protocol != protoUDP) || d.later || len(d.segment()) < 2 {
		return
	}
	d.adjustTransport(binary.BigEndian.Uint16(d.segment()), port)
	binary.BigEndian.PutUint16(d.segment(), port)
}

func (d *datagram) sourcePort() uint16 {
	if d.later || len(d.segment()) < 2 {
		return 0
	}
	return binary.BigEndian.Uint16(d.segment())
}

func (d *datagram) adjustTransport(from, to uint16) {
	at := checksumAt(d.protocol)
	if d.later || at < 0 || len(d.segment()) < at+2 {
		return
	}
	check := d.segment()[at : at+2]
	if d.protocol == protoUDP && binary.BigEndian.Uint16(check) == 0 {
		return // none was computed (RFC 768)
	}
	adjust(check, from, to)
	if d.protocol == protoUDP && binary.BigEndian.Uint16(check) == 0 {
		check[0], check[1] = 0xff, 0xff
	}
}

// segment is what lies behind the IP header and its extensions.
func (d *datagram) segment() []byte { return d.bytes[d.transport:] }

// dontFragment reports whether routers must not split the packet.
func (d *datagram) dontFragment() bool { return d.ipv6 || d.bytes[6]&0x40 != 0 }

// whole reports whether the transport checksum is right, as a receiving host
// checks it.
func (d *datagram) whole() bool {
	segment, at := d.segment(), checksumAt(d.protocol)
	if at < 0 {
		return true
	}
	if len(segment) < at+2 {
		return false
	}
	if d.protocol == protoUDP {
		length := int(binary.BigEndian.Uint16(segment[4:]))
		if length < 8 || length > len(segment) {
			return false
		}
		if binary.BigEndian.Uint16(segment[at:]) == 0 {
			return !d.ipv6 // RFC 8200 section 8.1: IPv6 wants one
		}
		segment = segment[:length]
	}
	return transportSum(d.bytes, d.ipv6, d.protocol, segment) == 0xffff
}

// kind returns which family of probes the packet is of; 0 for another.
func (d *datagram) kind() Protocol {
	switch {
	case d.protocol == protoTCP:
		return TCP
	case d.protocol == protoUDP:
		return UDP
	case d.protocol == protoGRE:
		return GRE
	case d.protocol == protoICMP && !d.ipv6, d.protocol == protoICMPv6 && d.ipv6:
		return ICMP
	}
	return 0
}

// trafficClass is the IPv4 TOS or IPv6 traffic class.
func (d *datagram) trafficClass() uint8 {
	if d.ipv6 {
		return uint8(binary.BigEndian.Uint16(d.bytes) >> 4)
	}
	return d.bytes[1]
}
