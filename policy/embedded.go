package policy

import (
	"net/netip"
)

// maxEmbedded is the most IPv4 addresses that one IPv6 address holds: four
// readings of a local NAT64 prefix and an ISATAP interface.
const maxEmbedded = 5

// A form is a way to write IPv4 addresses into IPv6 addresses of a prefix.
type form struct {
	prefix  netip.Prefix
	offsets [4][4]uint8 // of the IPv4 addresses, octet by octet; unused ones are 0
	count   int
	invert  int // index of the IPv4 address that is written inverted; -1: none
}

func at(first uint8) [4]uint8 { return [4]uint8{first, first + 1, first + 2, first + 3} }

func prefix6(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// embeddings are the forms that lead a packet to the IPv4 address, by
// translation or by a tunnel that some host may have.
func embeddings() [6]form {
	return [...]form{
		// IPv4-compatible, deprecated (RFC 4291 section 2.5.5.1). Some stacks
		// still tunnel it.
		{prefix: prefix6("::/96"), offsets: [4][4]uint8{at(12)}, count: 1, invert: -1},
		// IPv4-translated (RFC 2765 section 2.1), replaced by the next.
		{prefix: prefix6("::ffff:0:0:0/96"), offsets: [4][4]uint8{at(12)}, count: 1, invert: -1},
		// NAT64 (RFC 6052 section 2.1).
		{prefix: prefix6("64:ff9b::/96"), offsets: [4][4]uint8{at(12)}, count: 1, invert: -1},
		// NAT64 by a prefix of the operator's within this one, of any of the
		// lengths 48, 56, 64 and 96 (RFC 8215 section 4, RFC 6052 section 2.2:
		// octet 8 is left out). Which it is cannot be seen, so all are tried.
		{prefix: prefix6("64:ff9b:1::/48"), offsets: [4][4]uint8{{6, 7, 9, 10}, {7, 9, 10, 11}, {9, 10, 11, 12}, at(12)}, count: 4, invert: -1},
		// 6to4 (RFC 3056 section 2).
		{prefix: prefix6("2002::/16"), offsets: [4][4]uint8{at(2)}, count: 1, invert: -1},
		// Teredo: the server, and the client's outside address (RFC 4380 section
		// 4).
		{prefix: prefix6("2001::/32"), offsets: [4][4]uint8{at(4), at(12)}, count: 2, invert: 1},
	}
}

// appendEmbedded appends the IPv4 addresses that an IPv6 address, not a mapped
// one, may lead to.
func appendEmbedded(dst []netip.Addr, addr netip.Addr) []netip.Addr {
	if !addr.Is6() || addr.IsUnspecified() || addr.IsLoopback() {
		return dst
	}
	octets := addr.As16()
	for _, f := range embeddings() {
		if !f.prefix.Contains(addr) {
			continue
		}
		for i, offsets := range f.offsets[:f.count] {
			var inner [4]byte
			for j, o := range offsets {
				inner[j] = octets[o]
				if i == f.invert {
					inner[j] = ^inner[j]
				}
			}
			// Where several readings are possible, padding looks like 0.0.0.0.
			if f.count == 4 && inner == [4]byte{} && [10]byte(octets[6:]) != [10]byte{} {
				continue
			}
			dst = append(dst, netip.AddrFrom4(inner))
		}
	}
	// ISATAP interfaces of any network (RFC 5214 section 6.1); the bit that may
	// be set says that the IPv4 address is unique in the world.
	if octets[8]&^0x02 == 0 && octets[9] == 0 && octets[10] == 0x5e && octets[11] == 0xfe {
		dst = append(dst, netip.AddrFrom4([4]byte(octets[12:])))
	}
	return dst
}
