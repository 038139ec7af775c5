package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// Extension structure (RFC 4884 section 7) and its objects.
const (
	extensionHeaderLen = 4
	extensionVersion   = 2
	objectHeaderLen    = 4

	// paddedQuote is the least quote in front of a compliant structure, and
	// the fixed one in front of those that predate the length field (RFC 4884
	// sections 4 and 5).
	paddedQuote = 128

	classMPLS      = 1 // RFC 4950 section 3
	incomingStack  = 1 // its only c-type
	mplsEntryLen   = 4
	classInterface = 2 // RFC 5837 section 4
)

// C-type of an interface object: a role and what is in it, in this order.
const (
	interfaceRoleShift = 6
	interfaceIndex     = 0x08
	interfaceAddress   = 0x04
	interfaceName      = 0x02
	interfaceMTU       = 0x01

	maxNameField = 64 // length octet and name
	familyIPv4   = 1
	familyIPv6   = 2
)

// splitQuote parts what follows the header of an ICMP error into the quote
// and the extension structure, nil if there is none. length is what the
// message says of its quote, in bytes.
//
//   - A length of at least 128 that fits is RFC 4884: it bounds the quote, and
//     what follows must be a structure, which may go without a checksum.
//   - A shorter length comes from those who set the field but do not pad; and
//     without a length, a structure may follow 128 bytes of quote, from before
//     there was the field. Both count only if their checksum is there and
//     right, so that no quoted payload is taken for one.
//   - Otherwise all is quote. A length that points past the end leaves
//     nothing to be trusted but the quote.
func splitQuote(b []byte, length int) (quote, structure []byte) {
	if length == 0 && len(b) <= paddedQuote {
		return b, nil
	}
	if length >= paddedQuote && length <= len(b) {
		if structure = b[length:]; validStructure(structure, false) {
			return b[:length], structure
		}
		return b[:length], nil
	}
	if length > 0 && length < len(b) && validStructure(b[length:], true) {
		return b[:length], b[length:]
	}
	if length == 0 && len(b) > paddedQuote && validStructure(b[paddedQuote:], true) {
		return b[:paddedQuote], b[paddedQuote:]
	}
	return b, nil
}

// validStructure reports whether b is an extension structure of at least one
// object whose lengths fill it. strict asks for a checksum; without, zero
// stands for none.
func validStructure(b []byte, strict bool) bool {
	if len(b) < extensionHeaderLen+objectHeaderLen || b[0]>>4 != extensionVersion {
		return false
	}
	unsummed := b[2] == 0 && b[3] == 0
	if unsummed && strict || !unsummed && !validChecksum(b) {
		return false
	}
	for b = b[extensionHeaderLen:]; len(b) > 0; {
		length, ok := objectLength(b)
		if !ok {
			return false
		}
		b = b[length:]
	}
	return true
}

// objectLength returns the length of the object that b starts with, header
// included.
func objectLength(b []byte) (int, bool) {
	if len(b) < objectHeaderLen {
		return 0, false
	}
	length := int(binary.BigEndian.Uint16(b))
	return length, length >= objectHeaderLen && length <= len(b)
}

func (e *Extensions) reset() { e.nMPLS, e.nInterface, e.nObject = 0, 0, 0 }

// parse reads the objects of a valid structure. If one of them is malformed,
// none is kept. Those beyond the bounds of Extensions are dropped.
func (e *Extensions) parse(structure []byte) {
	if len(structure) < extensionHeaderLen {
		return
	}
	for b := structure[extensionHeaderLen:]; len(b) > 0; {
		length, ok := objectLength(b)
		if !ok || !e.parseObject(b[2], b[3], b[objectHeaderLen:length]) {
			e.reset()
			return
		}
		b = b[length:]
	}
}

func (e *Extensions) parseObject(class, cType uint8, b []byte) bool {
	switch {
	case class == classMPLS && cType == incomingStack:
		return e.parseMPLS(b)
	case class == classInterface:
		return e.parseInterface(cType, b)
	case int(e.nObject) < len(e.objects):
		e.objects[e.nObject] = Object{Class: class, CType: cType, Data: b}
		e.nObject++
	}
	return true
}

func (e *Extensions) parseMPLS(b []byte) bool {
	if len(b)%mplsEntryLen != 0 {
		return false
	}
	for ; len(b) > 0 && int(e.nMPLS) < len(e.mpls); b = b[mplsEntryLen:] {
		v := binary.BigEndian.Uint32(b)
		e.mpls[e.nMPLS] = MPLS{Label: v >> 12, Exp: uint8(v>>9) & 7, Bottom: v&0x100 != 0, TTL: uint8(v)}
		e.nMPLS++
	}
	return true
}

func (e *Extensions) parseInterface(cType uint8, b []byte) bool {
	i := Interface{Role: cType >> interfaceRoleShift}
	if cType&interfaceIndex != 0 {
		if len(b) < 4 {
			return false
		}
		i.Index, i.HasIndex = binary.BigEndian.Uint32(b), true
		b = b[4:]
	}
	if cType&interfaceAddress != 0 {
		var ok bool
		if i.Address, b, ok = parseInterfaceAddress(b); !ok {
			return false
		}
	}
	if cType&interfaceName != 0 {
		if len(b) == 0 {
			return false
		}
		length := int(b[0])
		if length < 4 || length > maxNameField || length%4 != 0 || length > len(b) {
			return false
		}
		name := bytes.TrimRight(b[1:length], "\x00")
		i.NameLen = uint8(copy(i.Name[:], name))
		b = b[length:]
	}
	if cType&interfaceMTU != 0 {
		if len(b) < 4 {
			return false
		}
		i.MTU = binary.BigEndian.Uint32(b)
	}
	if int(e.nInterface) < len(e.interfaces) {
		e.interfaces[e.nInterface] = i
		e.nInterface++
	}
	return true
}

// parseInterfaceAddress reads an address sub-object (RFC 5837 section 4.2).
func parseInterfaceAddress(b []byte) (address netip.Addr, rest []byte, ok bool) {
	if len(b) < 4 {
		return netip.Addr{}, nil, false
	}
	family := binary.BigEndian.Uint16(b)
	b = b[4:]
	switch {
	case family == familyIPv4 && len(b) >= 4:
		return addr4(b), b[4:], true
	case family == familyIPv6 && len(b) >= 16:
		return addr16(b), b[16:], true
	}
	return netip.Addr{}, nil, false
}
