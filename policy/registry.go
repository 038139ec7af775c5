package policy

// special is a range of addresses set aside for a purpose.
type special struct {
	prefix  string
	purpose string
	rfc     string
	global  bool // forwarded beyond administrative domains, by the registry
}

// registry is the IPv4 and IPv6 Special-Purpose Address Registries of IANA as
// of October 2025 (iana-ipv4-special-registry, iana-ipv6-special-registry; RFC
// 6890, RFC 8190). Ranges of which they say neither that they are globally
// reachable nor that they are not, which are those of retired protocols, count
// as not reachable. At the end is what the registry of the IPv6 address space
// (RFC 4291) leaves out of global unicast.
func registry() []special {
	return []special{
		{"0.0.0.0/8", "this network", "RFC 791", false},
		{"0.0.0.0/32", "this host on this network", "RFC 1122", false},
		{"10.0.0.0/8", "private use", "RFC 1918", false},
		{"100.64.0.0/10", "shared address space", "RFC 6598", false},
		{"127.0.0.0/8", "loopback", "RFC 1122", false},
		{"169.254.0.0/16", "link local", "RFC 3927", false},
		{"172.16.0.0/12", "private use", "RFC 1918", false},
		{"192.0.0.0/24", "IETF protocol assignments", "RFC 6890", false},
		{"192.0.0.0/29", "IPv4 service continuity prefix", "RFC 7335", false},
		{"192.0.0.8/32", "IPv4 dummy address", "RFC 7600", false},
		{"192.0.0.9/32", "Port Control Protocol anycast", "RFC 7723", true},
		{"192.0.0.10/32", "TURN anycast", "RFC 8155", true},
		{"192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 8880", false},
		{"192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 8880", false},
		{"192.0.2.0/24", "documentation", "RFC 5737", false},
		{"192.31.196.0/24", "AS112", "RFC 7535", true},
		{"192.52.193.0/24", "AMT", "RFC 7450", true},
		{"192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526", false},
		{"192.88.99.2/32", "6a44 relay anycast", "RFC 6751", false},
		{"192.168.0.0/16", "private use", "RFC 1918", false},
		{"192.175.48.0/24", "direct delegation AS112 service", "RFC 7534", true},
		{"198.18.0.0/15", "benchmarking", "RFC 2544", false},
		{"198.51.100.0/24", "documentation", "RFC 5737", false},
		{"203.0.113.0/24", "documentation", "RFC 5737", false},
		{"240.0.0.0/4", "reserved", "RFC 1112", false},
		{"255.255.255.255/32", "limited broadcast", "RFC 919", false},

		{"::1/128", "loopback", "RFC 4291", false},
		{"::/128", "unspecified address", "RFC 4291", false},
		{"::ffff:0:0/96", "IPv4-mapped", "RFC 4291", false},
		{"64:ff9b::/96", "IPv4-IPv6 translation", "RFC 6052", true},
		{"64:ff9b:1::/48", "IPv4-IPv6 translation, local use", "RFC 8215", false},
		{"100::/64", "discard only", "RFC 6666", false},
		{"100:0:0:1::/64", "dummy prefix", "RFC 9780", false},
		{"2001::/23", "IETF protocol assignments", "RFC 2928", false},
		{"2001::/32", "Teredo", "RFC 4380", false},
		{"2001:1::1/128", "Port Control Protocol anycast", "RFC 7723", true},
		{"2001:1::2/128", "TURN anycast", "RFC 8155", true},
		{"2001:1::3/128", "DNS-SD service registration anycast", "RFC 9665", true},
		{"2001:2::/48", "benchmarking", "RFC 5180", false},
		{"2001:3::/32", "AMT", "RFC 7450", true},
		{"2001:4:112::/48", "AS112", "RFC 7535", true},
		{"2001:10::/28", "ORCHID, deprecated", "RFC 4843", false},
		{"2001:20::/28", "ORCHIDv2", "RFC 7343", true},
		{"2001:30::/28", "drone remote ID", "RFC 9374", true},
		{"2001:db8::/32", "documentation", "RFC 3849", false},
		{"2002::/16", "6to4", "RFC 3056", false},
		{"2620:4f:8000::/48", "direct delegation AS112 service", "RFC 7534", true},
		{"3fff::/20", "documentation", "RFC 9637", false},
		{"5f00::/16", "segment routing SIDs", "RFC 9602", false},
		{"fc00::/7", "unique local", "RFC 4193", false},
		{"fe80::/10", "link local", "RFC 4291", false},

		{"fec0::/10", "site local, deprecated", "RFC 3879", false},
		{"2000::/3", "global unicast", "RFC 4291", true},
		{"::/0", "reserved by IETF", "RFC 4291", false},
	}
}
