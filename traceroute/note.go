package traceroute

import (
	"net/netip"
	"strconv"
)

// ASN is the number of an autonomous system; 0 is unknown.
type ASN uint32

// String returns the number as in AS64496, and nothing for 0.
func (n ASN) String() string {
	if n == 0 {
		return ""
	}
	return "AS" + strconv.FormatUint(uint64(n), 10)
}

// Note is what is known of an address.
type Note struct {
	Name string // from its PTR record; empty when it has none
	ASN  ASN
}

// What stands for the name of a node in all output formats.
const (
	NoResponse = "NO RESPONSE" // the node that stands for a silent hop
	Redacted   = "REDACTED"    // the node that stands for those hidden by Redact
)

// NameOf returns the name of the node with the given address: the address
// itself when it has none, Redacted for the zero Addr.
func (n Note) NameOf(addr netip.Addr) string {
	switch {
	case !addr.IsValid():
		return Redacted
	case n.Name == "":
		return addr.String()
	}
	return n.Name
}

// Notes are what is known of addresses. A nil map is none.
type Notes = map[netip.Addr]Note
