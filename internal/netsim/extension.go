package netsim

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// Label is an MPLS label stack entry (RFC 4950 section 3). The last of a
// stack carries the bottom bit.
type Label struct {
	Label uint32 `yaml:"label"` // 20 bits
	Exp   uint8  `yaml:"exp"`   // 3 bits
	TTL   uint8  `yaml:"ttl"`   // default 1
}

// Interface is an interface information object (RFC 5837 section 4). What is
// absent is left out of it.
type Interface struct {
	Role    uint8   `yaml:"role"` // 0 incoming, 1 sub-IP of incoming, 2 outgoing, 3 next hop
	Index   *uint32 `yaml:"index"`
	Address Address `yaml:"address"`
	Name    string  `yaml:"name"` // up to 63 bytes
	MTU     uint32  `yaml:"mtu"`
}

// Object is an extension object (RFC 4884 section 8) of any class.
type Object struct {
	Class uint8 `yaml:"class"`
	Type  uint8 `yaml:"type"`
	Data  Hex   `yaml:"data"`
}

// LengthField is what the length field of an error with extensions says: 1 to
// 255 is that number.
type LengthField int16

// What a LengthField can be besides a number.
const (
	RightLength LengthField = 0
	// ZeroLength is the router from before RFC 4884 that pads the quote to
	// 128 bytes without saying so.
	ZeroLength LengthField = -1
	// WrongLength points beyond every packet.
	WrongLength LengthField = 255
)

// UnmarshalText reads right, zero, wrong, or a number from 1 to 255.
func (l *LengthField) UnmarshalText(text []byte) error {
	switch string(text) {
	case "right":
		*l = RightLength
	case "zero":
		*l = ZeroLength
	case "wrong":
		*l = WrongLength
	default:
		n, err := strconv.ParseUint(string(text), 10, 8)
		if err != nil || n == 0 {
			return fmt.Errorf("%q is not right, zero, wrong or a number from 1 to 255", text)
		}
		*l = LengthField(n)
	}
	return nil
}

// Numbers of the extension structure.
const (
	extensionHeader = 4
	objectHeader    = 4
	classMPLS       = 1
	classInterface  = 2
	// RFC 5837 section 4.1: the C-Type of an interface object says what is in
	// it.
	holdsIndex   = 0x08
	holdsAddress = 0x04
	holdsName    = 0x02
	holdsMTU     = 0x01
	// Address family numbers of RFC 5837 section 4.2.
	afiIPv4 = 1
	afiIPv6 = 2
)

// extensions returns the node's extension structure with its checksum; empty
// when the node adds none.
func (n *Node) extensions(ipv6 bool) []byte {
	if len(n.MPLS)+len(n.Interfaces)+len(n.Objects) == 0 {
		return nil
	}
	b := []byte{2 << 4, 0, 0, 0} // version 2
	if len(n.MPLS) > 0 {
		b = appendObject(b, classMPLS, 1, n.labels())
	}
	for i := range n.Interfaces {
		ctype, payload := n.Interfaces[i].encode(ipv6)
		b = appendObject(b, classInterface, ctype, payload)
	}
	for _, o := range n.Objects {
		b = appendObject(b, o.Class, o.Type, o.Data)
	}
	binary.BigEndian.PutUint16(b[2:], ^sum(b, 0))
	return b
}

func appendObject(b []byte, class, ctype uint8, payload []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(objectHeader+len(payload)))
	b = append(b, class, ctype)
	return append(b, payload...)
}

func (n *Node) labels() []byte {
	var b []byte
	for i, l := range n.MPLS {
		entry := l.Label<<12 | uint32(l.Exp)<<9 | uint32(l.TTL)
		if l.TTL == 0 {
			entry |= 1
		}
		if i == len(n.MPLS)-1 {
			entry |= 1 << 8
		}
		b = binary.BigEndian.AppendUint32(b, entry)
	}
	return b
}

// encode returns the object's C-Type and payload, parts in the order of RFC
// 5837 section 4.
func (i *Interface) encode(ipv6 bool) (ctype uint8, payload []byte) {
	ctype = i.Role << 6
	if i.Index != nil {
		ctype |= holdsIndex
		payload = binary.BigEndian.AppendUint32(payload, *i.Index)
	}
	if addr := i.Address.For(ipv6); addr.IsValid() {
		ctype |= holdsAddress
		afi := uint16(afiIPv4)
		if ipv6 {
			afi = afiIPv6
		}
		payload = binary.BigEndian.AppendUint16(payload, afi)
		payload = append(payload, 0, 0)
		payload = append(payload, addr.AsSlice()...)
	}
	if i.Name != "" {
		ctype |= holdsName
		// Length counts itself, and the whole is padded to a multiple of 4
		// (RFC 5837 section 4.3).
		length := (1 + len(i.Name) + 3) &^ 3
		payload = append(payload, uint8(length))
		payload = append(payload, i.Name...)
		payload = append(payload, make([]byte, length-1-len(i.Name))...)
	}
	if i.MTU != 0 {
		ctype |= holdsMTU
		payload = binary.BigEndian.AppendUint32(payload, i.MTU)
	}
	return ctype, payload
}
