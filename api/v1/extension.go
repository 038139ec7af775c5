package v1

import (
	"encoding/hex"
	"strings"

	"probe-agent/packet"
)

// Extensions are the RFC 4884 objects of an ICMP error.
type Extensions struct {
	MPLS       []MPLS      `json:"mpls"` // top of the stack first
	Interfaces []Interface `json:"interfaces"`
	Objects    []Object    `json:"objects"`
}

// MPLS is one label stack entry (RFC 4950).
type MPLS struct {
	Label        int  `json:"label"`
	TrafficClass int  `json:"traffic_class"`
	Bottom       bool `json:"bottom_of_stack"`
	TTL          int  `json:"ttl"`
}

// Interface is one interface information object (RFC 5837).
type Interface struct {
	Role  string   `json:"role"`
	Index *int64   `json:"index"`
	IP    *Address `json:"ip"`
	Name  *string  `json:"name"`
	MTU   *int64   `json:"mtu"`
}

// Object is an object of another class, or a malformed one.
type Object struct {
	Class int    `json:"class"`
	CType int    `json:"c_type"`
	Data  string `json:"data_hex"`
}

func newExtensions(e *packet.Extensions) *Extensions {
	if e == nil {
		return nil
	}
	x := &Extensions{MPLS: []MPLS{}, Interfaces: []Interface{}, Objects: []Object{}}
	for _, m := range e.MPLS() {
		x.MPLS = append(x.MPLS, MPLS{Label: int(m.Label), TrafficClass: int(m.Exp), Bottom: m.Bottom, TTL: int(m.TTL)})
	}
	for _, i := range e.Interfaces() {
		x.Interfaces = append(x.Interfaces, newInterface(&i))
	}
	for _, o := range e.Objects() {
		x.Objects = append(x.Objects, Object{Class: int(o.Class), CType: int(o.CType), Data: hex.EncodeToString(o.Data)})
	}
	return x
}

func newInterface(i *packet.Interface) Interface {
	n := Interface{Role: roleName(i.Role)}
	if i.HasIndex {
		n.Index = new(int64(i.Index))
	}
	if i.Address.IsValid() {
		n.IP = new(i.Address)
	}
	if i.NameLen > 0 {
		n.Name = new(strings.ToValidUTF8(string(i.Name[:i.NameLen]), "\uFFFD"))
	}
	if i.MTU != 0 {
		n.MTU = new(int64(i.MTU))
	}
	return n
}

// roleName is the name of an interface's role (RFC 5837 section 4.1), which
// has two bits. It is part of the API.
func roleName(role uint8) string {
	return [...]string{"incoming", "sub-ip", "outgoing", "next-hop"}[role&3]
}
