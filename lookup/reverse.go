package lookup

import (
	"net/netip"
	"strconv"
)

// reverseZones are where names of addresses live (RFC 1035 section 3.5, RFC
// 3596 section 2.5).
const (
	reverseZoneIPv4 = "in-addr.arpa."
	reverseZoneIPv6 = "ip6.arpa."

	hexDigits = "0123456789abcdef"

	// maxZone leaves room for the 64 characters of a reversed IPv6 address in
	// a name of 255 octets.
	maxZone = 180
)

// reverseName returns the name that holds the PTR records of addr, with the
// trailing dot.
func reverseName(addr netip.Addr) string {
	if addr.Is4() {
		return reversed(addr) + reverseZoneIPv4
	}
	return reversed(addr) + reverseZoneIPv6
}

// reversed returns the octets of an IPv4 address, or the nibbles of an IPv6
// address, last first, a dot behind each.
func reversed(addr netip.Addr) string {
	b := make([]byte, 0, 64)
	if addr.Is4() {
		octets := addr.As4()
		for i := len(octets) - 1; i >= 0; i-- {
			b = strconv.AppendUint(b, uint64(octets[i]), 10)
			b = append(b, '.')
		}
		return string(b)
	}
	octets := addr.As16()
	for i := len(octets) - 1; i >= 0; i-- {
		b = append(b, hexDigits[octets[i]&0xf], '.', hexDigits[octets[i]>>4], '.')
	}
	return string(b)
}
