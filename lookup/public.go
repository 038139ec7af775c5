package lookup

import (
	"net/netip"
)

// specialSpace returns what nobody announces of IPv4 and of IPv6's global
// unicast space: the special-purpose ranges that IANA's registries have as not
// globally reachable, and 6to4, whose addresses hold those of IPv4 (RFC 6890;
// the registries as of October 2025).
func specialSpace() []netip.Prefix {
	var space []netip.Prefix
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
		"192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		space = append(space, netip.MustParsePrefix(text))
	}
	return space
}

// globalUnicast is where addresses of IPv6's Internet are (RFC 4291 section
// 2.4, as IANA hands them out).
func globalUnicast() netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20}), 3)
}
