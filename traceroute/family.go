package traceroute

import "net/netip"

// Family restricts which addresses may be traced.
type Family uint8

// The families.
const (
	AnyFamily Family = iota
	IPv4Only
	IPv6Only
)

var familyNames = []string{AnyFamily: "any", IPv4Only: "ipv4", IPv6Only: "ipv6"}

// String returns the name used in requests: any, ipv4 or ipv6.
func (f Family) String() string { return nameOf(familyNames, "family", f) }

// ParseFamily is the inverse of String. The empty name is AnyFamily.
func ParseFamily(name string) (Family, error) {
	if name == "" {
		return AnyFamily, nil
	}
	return parseName[Family](familyNames, "family", name)
}

// Allows reports whether addr is of the family. An IPv4-mapped address is an
// IPv4 address.
func (f Family) Allows(addr netip.Addr) bool {
	return f == AnyFamily || (f == IPv4Only) == addr.Unmap().Is4()
}
