package packet

import "encoding/binary"

// parseICMPv4 reads an ICMP message (RFC 792). Types that no probe causes are
// foreign whatever their checksum.
func parseICMPv4(b []byte, r *Reply) error {
	if len(b) < icmpHeaderLen {
		return ErrTruncated
	}
	switch b[0] {
	case icmpEchoReply:
		r.Kind = EchoReply
	case icmpUnreachable:
		r.Kind = Unreachable
	case icmpTimeExceeded:
		r.Kind = TimeExceeded
	case icmpParameterProblem:
		r.Kind = ParameterProblem
	default:
		return ErrForeign
	}
	if !validChecksum(b) {
		return ErrMalformed
	}
	r.Code = b[icmpCode]
	switch {
	case r.Kind == EchoReply:
		parseEchoReply(b, r)
		return nil
	case r.Kind == Unreachable && r.Code == icmpFragmentationNeeded:
		r.MTU = uint32(binary.BigEndian.Uint16(b[icmpMTU:]))
	case r.Kind == ParameterProblem:
		r.Pointer = uint32(b[icmpPointer])
	}
	quote, structure := splitQuote(b[icmpHeaderLen:], int(b[icmpLength])*4)
	r.Extensions.parse(structure)
	return parseQuoteIPv4(quote, &r.Quote)
}

// parseICMPv6 reads an ICMPv6 message (RFC 4443) whose checksum the kernel
// has verified.
func parseICMPv6(b []byte, r *Reply) error {
	if len(b) < icmpHeaderLen {
		return ErrTruncated
	}
	r.Code = b[icmpCode]
	quote := b[icmpHeaderLen:]
	switch b[0] {
	case icmpv6EchoReply:
		parseEchoReply(b, r)
		return nil
	case icmpv6Unreachable, icmpv6TimeExceeded:
		r.Kind = Unreachable
		if b[0] == icmpv6TimeExceeded {
			r.Kind = TimeExceeded
		}
		var structure []byte
		quote, structure = splitQuote(quote, int(b[icmpv6Length])*8)
		r.Extensions.parse(structure)
	case icmpv6PacketTooBig: // this and the next leave no room for a length field
		r.Kind = PacketTooBig
		r.MTU = binary.BigEndian.Uint32(b[icmpv6Word:])
	case icmpv6ParameterProblem:
		r.Kind = ParameterProblem
		r.Pointer = binary.BigEndian.Uint32(b[icmpv6Word:])
	default:
		return ErrForeign
	}
	return parseQuoteIPv6(quote, &r.Quote)
}
