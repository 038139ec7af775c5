package packet

import "encoding/binary"

// minQuoted is how much of a segment a quote must hold: what RFC 792 asks for
// and what every type needs to name its flow.
const minQuoted = 8

// maxExtensionHeaders bounds the walk through a quoted chain. RFC 8200 section
// 4.1 recommends each header once, and destination options twice: six.
const maxExtensionHeaders = 8

// parseQuoteIPv4 reads a quoted IPv4 packet. Its checksum field is ignored and
// its length field bounds nothing: routers have been seen to rewrite them.
func parseQuoteIPv4(b []byte, q *Quote) error {
	if len(b) < ipv4HeaderLen {
		return ErrTruncated
	}
	headerLen := int(b[0]&0x0f) * 4
	switch {
	case b[0]>>4 != 4, headerLen < ipv4HeaderLen:
		return ErrMalformed
	case headerLen > len(b):
		return ErrTruncated
	}
	q.TTL, q.TOS = b[ipv4TTL], b[ipv4TOS]
	q.Length = uint32(binary.BigEndian.Uint16(b[ipv4TotalLen:]))
	q.IPID = binary.BigEndian.Uint16(b[ipv4ID:])
	q.Source, q.Target = addr4(b[ipv4Source:]), addr4(b[ipv4Target:])
	// Some hosts quote this field in their own byte order, and no probe is
	// fragmented.
	fragment := binary.BigEndian.Uint16(b[ipv4Fragment:])
	q.Fragment = fragment&fragmentOffset != 0 && fragment != ipv4SwappedDF
	q.Type = answeredBy(b[ipv4Protocol], false)
	return parseQuotedSegment(b[headerLen:], false, q)
}

// parseQuoteIPv6 reads a quoted IPv6 packet, with the extension headers that
// may have been put into it on its way.
func parseQuoteIPv6(b []byte, q *Quote) error {
	if len(b) < ipv6HeaderLen {
		return ErrTruncated
	}
	word := binary.BigEndian.Uint32(b)
	if word>>28 != 6 {
		return ErrMalformed
	}
	q.TTL, q.TOS = b[ipv6HopLimit], uint8(word>>20)
	q.Length = ipv6HeaderLen + uint32(binary.BigEndian.Uint16(b[ipv6PayloadLen:]))
	q.FlowLabel = word & maxFlowLabel
	q.Source, q.Target = addr16(b[ipv6Source:]), addr16(b[ipv6Target:])
	protocol, segment := b[ipv6NextHeader], b[ipv6HeaderLen:]
	if isExtensionHeader(protocol) {
		var err error
		if protocol, segment, q.Fragment, err = skipExtensionHeaders(protocol, segment); err != nil {
			return err
		}
	}
	q.Type = answeredBy(protocol, true)
	return parseQuotedSegment(segment, true, q)
}

func isExtensionHeader(protocol uint8) bool {
	switch protocol {
	case protocolHopByHop, protocolRouting, protocolFragment, protocolAH, protocolDestOptions:
		return true
	}
	return false
}

// skipExtensionHeaders walks a chain (RFC 8200 section 4) up to the first
// header of another kind, or to a fragment header that says that the rest is
// from the middle of the packet.
func skipExtensionHeaders(next uint8, b []byte) (protocol uint8, rest []byte, fragment bool, err error) {
	for range maxExtensionHeaders {
		if len(b) < 8 { // the shortest of them
			return 0, nil, false, ErrTruncated
		}
		length := 8 + int(b[1])*8
		switch next {
		case protocolFragment:
			length = 8
			fragment = binary.BigEndian.Uint16(b[2:])>>3 != 0
		case protocolAH:
			length = 8 + int(b[1])*4 // RFC 4302 section 2.2
		}
		if length > len(b) {
			return 0, nil, false, ErrTruncated
		}
		next, b = b[0], b[length:]
		if fragment || !isExtensionHeader(next) {
			return next, b, fragment, nil
		}
	}
	return 0, nil, false, ErrMalformed
}

// parseQuotedSegment reads what follows the quoted IP header and its
// extension headers.
func parseQuotedSegment(b []byte, ipv6 bool, q *Quote) error {
	if q.Type == 0 || q.Fragment {
		return nil
	}
	if len(b) < minQuoted {
		return ErrTruncated
	}
	return q.Type.row().codec.quoted(b, ipv6, q)
}

// setTag reads the tag at an offset if the quote reaches that far. Some
// routers pad their quotes with zeros up to the extensions, so a tag of zero
// is none.
func (q *Quote) setTag(b []byte, at int) bool {
	if len(b) < at+8 {
		return false
	}
	q.Tag = binary.BigEndian.Uint64(b[at:])
	q.HasTag = q.Tag != 0
	return q.HasTag
}
