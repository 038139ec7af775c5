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

	// paddedQuote is the minimum length of the quote in front of a compliant
	// structure, and its fixed length in front of those of routers that do not
	// know the length field (RFC 4884 sections 4 and 5.5).
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

// splitQuote divides what follows the header of an ICMP error into the quote
// and the extension structure, nil if there is none. length is the length of
// the quote in bytes that the message states, 0 for none.
//
//   - A structure at the stated length is taken. If that is less than 128, the
//     router set the field and did not pad the quote.
//   - Otherwise a structure behind 128 bytes is taken: from routers that do not
//     know the field (RFC 4884 section 5.5), state the length of the quote
//     without its padding, or count bytes instead of words.
//   - Otherwise all is quote, up to the stated length if it is valid.
//
// Only a structure at a valid length (at least 128, within the message) may go
// without a checksum; anywhere else the bytes could be quoted payload.
func splitQuote(b []byte, length int) (quote, structure []byte) {
	valid := length >= paddedQuote && length <= len(b)
	if length > 0 && length < len(b) && isStructure(b[length:], !valid) {
		return b[:length], b[length:]
	}
	if len(b) > paddedQuote && isStructure(b[paddedQuote:], true) {
		return b[:paddedQuote], b[paddedQuote:]
	}
	if valid {
		b = b[:length]
	}
	return b, nil
}

// isStructure reports whether b is an extension structure with at least one
// object. strict requires a checksum. Without one (a value of zero), the
// lengths of the objects must add up to that of b; with one, whatever follows
// the last object of a valid length is ignored.
func isStructure(b []byte, strict bool) bool {
	if len(b) < extensionHeaderLen+objectHeaderLen || b[0]>>4 != extensionVersion {
		return false
	}
	objects := b[extensionHeaderLen:]
	if b[2] != 0 || b[3] != 0 {
		_, ok := objectLength(objects)
		return ok && validChecksum(b)
	}
	if strict {
		return false
	}
	for len(objects) > 0 {
		length, ok := objectLength(objects)
		if !ok {
			return false
		}
		objects = objects[length:]
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

// parse reads the objects of a structure, up to the first that has no valid
// length. A malformed object is kept as an Object, and so is one of another
// class. Objects beyond the bounds of Extensions are dropped.
func (e *Extensions) parse(structure []byte) {
	if len(structure) < extensionHeaderLen {
		return
	}
	b := structure[extensionHeaderLen:]
	for length, ok := objectLength(b); ok; length, ok = objectLength(b) {
		e.parseObject(b[2], b[3], b[objectHeaderLen:length])
		b = b[length:]
	}
}

func (e *Extensions) parseObject(class, cType uint8, b []byte) {
	switch {
	case class == classMPLS && cType == incomingStack && e.parseMPLS(b):
	case class == classInterface && e.parseInterface(cType, b):
	case int(e.nObject) < len(e.objects):
		e.objects[e.nObject] = Object{Class: class, CType: cType, Data: b}
		e.nObject++
	}
}

// parseMPLS reads a label stack. It reports false, and keeps nothing, if the
// object does not consist of whole entries.
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

// parseInterface reads an interface information object. It reports false, and
// keeps nothing, if a part is missing, cut off or of an unknown form.
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
