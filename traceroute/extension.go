package traceroute

import (
	"bytes"
	"net/netip"
	"slices"
)

// Extensions are the objects of the extension structure of an ICMP error (RFC
// 4884).
type Extensions struct {
	MPLS       []MPLS      // label stack, top first
	Interfaces []Interface // in the order received
	Objects    []Object    // of other classes, and malformed ones
}

// Empty reports whether there is no object of any kind.
func (e *Extensions) Empty() bool { return len(e.MPLS)+len(e.Interfaces)+len(e.Objects) == 0 }

// MPLS is one label stack entry (RFC 4950 section 3, RFC 3032).
type MPLS struct {
	Label        uint32 // 20 bits
	TrafficClass uint8  // 3 bits (RFC 5462)
	Bottom       bool   // of the stack
	TTL          uint8
}

// Role is what an Interface is to the probe (RFC 5837 section 4.1).
type Role uint8

// The roles, by their number on the wire.
const (
	RoleIncoming Role = iota // that the probe came in by
	RoleSubIP                // below IP, of the incoming one
	RoleOutgoing             // that the probe would have left by
	RoleNextHop              // of the next node
)

var roleNames = []string{RoleIncoming: "incoming", RoleSubIP: "sub-ip", RoleOutgoing: "outgoing", RoleNextHop: "next-hop"}

// String returns incoming, sub-ip, outgoing or next-hop.
func (r Role) String() string { return nameOf(roleNames, "role", r) }

// ParseRole is the inverse of String.
func ParseRole(name string) (Role, error) { return parseName[Role](roleNames, "role", name) }

// Interface is one interface information object (RFC 5837 section 4).
type Interface struct {
	Role     Role
	Index    uint32 // ifIndex, when HasIndex
	HasIndex bool
	Addr     netip.Addr // zero when not given
	Name     string     // valid UTF-8; empty when not given
	MTU      uint32     // 0 when not given
}

// Object is an extension object that was not interpreted: of another class
// than MPLS and Interface, or malformed.
type Object struct {
	Class, CType uint8
	Data         []byte // what follows the object's header
}

// classInterface is the class of interface information objects (RFC 5837
// section 4).
const classInterface = 2

// isInterface reports whether o is an interface information object, and so a
// malformed one.
func (o *Object) isInterface() bool { return o.Class == classInterface }

// without returns the extensions without objects that name one of the secret
// addresses, and at the border without those of the incoming interface: its
// address is on the link to the last hidden node, and its name often identifies
// the other end. nil when nothing is left.
func (e *Extensions) without(secret []netip.Addr, border bool) *Extensions {
	if e == nil || e.Empty() {
		return e
	}
	c := &Extensions{MPLS: slices.Clone(e.MPLS)}
	for _, i := range e.Interfaces {
		if !slices.Contains(secret, i.Addr) && (!border || i.Role != RoleIncoming && i.Role != RoleSubIP) {
			c.Interfaces = append(c.Interfaces, i)
		}
	}
	for _, o := range e.Objects {
		// A malformed interface object has interface names and addresses at
		// unknown offsets. Of other objects only their bytes are known.
		if !o.isInterface() && !slices.ContainsFunc(secret, func(a netip.Addr) bool { return bytes.Contains(o.Data, a.AsSlice()) }) {
			c.Objects = append(c.Objects, o)
		}
	}
	if c.Empty() {
		return nil
	}
	return c
}
