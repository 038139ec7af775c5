package packet

import "encoding/binary"

// parseDirect reads what the target itself sends, ICMP apart.
func parseDirect(protocol uint8, b []byte, r *Reply) error {
	switch protocol {
	case protocolTCP:
		return parseTCP(b, r)
	case protocolUDP:
		return parseUDP(b, r)
	case protocolGRE:
		return parseGRE(b, r)
	}
	return ErrForeign
}

// parseTCP reads the answer to a SYN (RFC 9293 section 3.10.7).
func parseTCP(b []byte, r *Reply) error {
	if len(b) < tcpHeaderLen {
		return ErrTruncated
	}
	headerLen := int(b[tcpDataOffset]>>4) * 4
	flags := b[tcpFlags]
	switch {
	case headerLen < tcpHeaderLen:
		return ErrMalformed
	case headerLen > len(b):
		return ErrTruncated
	case flags&tcpRST != 0:
		r.Kind = Reset
	case flags&tcpSYN != 0 && flags&tcpACK != 0:
		r.Kind = SynAck
	default:
		return ErrForeign
	}
	r.SourcePort, r.TargetPort = ports(b)
	if flags&tcpACK != 0 {
		// A SYN takes up one sequence number.
		r.Sequence, r.HasSequence = binary.BigEndian.Uint32(b[tcpAcknowledgement:])-1, true
	}
	return nil
}

// parseUDP reads a datagram (RFC 768). An answer whose protocol echoes an id
// at its start, as DNS does, names the probe.
func parseUDP(b []byte, r *Reply) error {
	if len(b) < udpHeaderLen {
		return ErrTruncated
	}
	length := int(binary.BigEndian.Uint16(b[udpLength:]))
	switch {
	case length < udpHeaderLen:
		return ErrMalformed
	case length > len(b):
		return ErrTruncated
	}
	r.Kind = UDPAnswer
	r.SourcePort, r.TargetPort = ports(b)
	if length >= udpSequence+2 {
		r.Sequence, r.HasSequence = uint32(binary.BigEndian.Uint16(b[udpSequence:])), true
	}
	return nil
}

// parseGRE reads a GRE packet. A keepalive with a key and room for a probe's
// number and tag is taken for ours come home.
func parseGRE(b []byte, r *Reply) error {
	h, err := parseGREHeader(b)
	if err != nil {
		return err
	}
	r.Kind, r.Key, r.HasKey = GREAnswer, h.key, h.hasKey
	if number, tag, ok := parseKeepalive(b); ok {
		r.Kind = Decapsulated
		r.Sequence, r.HasSequence = number, true
		r.Tag, r.HasTag = tag, true
	}
	return nil
}

type greHeader struct {
	key    uint32
	hasKey bool
}

// parseGREHeader reads a version 0 header (RFC 2784, RFC 2890). With the
// routing bit of RFC 1701 set a receiver must discard the packet.
func parseGREHeader(b []byte) (greHeader, error) {
	if len(b) < 4 {
		return greHeader{}, ErrTruncated
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&(greVersion|greRoutingPresent) != 0 {
		return greHeader{}, ErrForeign
	}
	at := greKey
	if flags&greChecksumPresent != 0 {
		at += 4
	}
	if flags&greKeyPresent == 0 {
		if len(b) < at {
			return greHeader{}, ErrTruncated
		}
		return greHeader{}, nil
	}
	if len(b) < at+4 {
		return greHeader{}, ErrTruncated
	}
	return greHeader{key: binary.BigEndian.Uint32(b[at:]), hasKey: true}, nil
}

// parseKeepalive reads the keepalive of a GRE probe, from its GRE header on.
func parseKeepalive(b []byte) (number uint32, tag uint64, ok bool) {
	if len(b) < keepaliveTag+8 || binary.BigEndian.Uint32(b) != greKeyPresent<<16|greKeepalive {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(b[keepaliveSequence:]), binary.BigEndian.Uint64(b[keepaliveTag:]), true
}

// ports reads the ports that TCP and UDP headers start with.
func ports(b []byte) (source, target uint16) {
	return binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
}
