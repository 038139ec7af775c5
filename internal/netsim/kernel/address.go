//go:build linux

package kernel

import (
	"fmt"
	"net"
	"net/netip"
)

// Addresses come from the benchmarking range 198.18.0.0/15 (RFC 2544) and the
// documentation range 2001:db8::/32 (RFC 3849): link n is 198.18.n.0/24 and
// 2001:db8:n::/64, the target's own addresses are in 198.19.0.0/16 and
// 2001:db8:ffff::/64.

// side is an end of a link.
type side uint8

const (
	near side = 1 // toward the host
	far  side = 2
)

// families are the two values of a parameter "ipv6 bool".
var families = [2]bool{false, true}

// address returns the address of one end of the link.
func (l link) address(s side, ipv6 bool) netip.Addr {
	if !ipv6 {
		return netip.AddrFrom4([4]byte{198, 18, byte(l.number), byte(s)})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 5: byte(l.number), 15: byte(s)})
}

// linkBits is the prefix length of every link.
func linkBits(ipv6 bool) int {
	if ipv6 {
		return 64
	}
	return 24
}

// mac returns the hardware address of one end of the link, locally
// administered.
func (l link) mac(s side) net.HardwareAddr {
	return net.HardwareAddr{0x02, 0, 0, 0, byte(l.number), byte(s)}
}

// name is the interface name of both ends of the link.
func (l link) name() string { return fmt.Sprintf("l%d", l.number) }

// targetAddress returns the target's address number i, from 0.
func targetAddress(i int, ipv6 bool) netip.Addr {
	high, low := byte((i+1)>>8), byte(i+1)
	if !ipv6 {
		return netip.AddrFrom4([4]byte{198, 19, high, low})
	}
	return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 4: 0xff, 5: 0xff, 14: high, 15: low})
}

// targetRange returns the prefix of all addresses that a target may own.
func targetRange(ipv6 bool) *net.IPNet {
	if ipv6 {
		return ipNet(netip.MustParseAddr("2001:db8:ffff::"), 64)
	}
	return ipNet(netip.MustParseAddr("198.19.0.0"), 16)
}

// ipNet returns a prefix of the given length in the type that netlink takes.
func ipNet(a netip.Addr, bits int) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(bits, a.BitLen())}
}

// everything returns the default prefix of a family.
func everything(ipv6 bool) *net.IPNet {
	if ipv6 {
		return ipNet(netip.IPv6Unspecified(), 0)
	}
	return ipNet(netip.IPv4Unspecified(), 0)
}
