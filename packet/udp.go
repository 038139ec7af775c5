package packet

import (
	"encoding/binary"
)

// UDP (RFC 768) and the payload of a UDP probe.
const (
	udpHeaderLen = 8
	udpLength    = 4
	udpChecksum  = 6
	udpSequence  = 8
	udpTag       = 10
	udpBalance   = 18
	udpFill      = 20
)

// udpCodec is that of a UDP datagram.
var udpCodec = codec{
	protocol: [2]uint8{protocolUDP, protocolUDP},
	write: func(segment []byte, flow Flow) {
		binary.BigEndian.PutUint16(segment[targetPort:], flow.TargetPort)
		binary.BigEndian.PutUint16(segment[udpLength:], segmentLen)
		writeFill(segment, udpFill)
	},
	name:   nameSourcePort,
	patch:  patchUDP,
	pseudo: true,
	quoted: parseQuotedUDP,
	answer: parseUDP,
}

// nameSourcePort writes the source port, which a header with ports starts with.
func nameSourcePort(segment []byte, flow Flow) {
	binary.BigEndian.PutUint16(segment, flow.SourcePort)
}

func patchUDP(b []byte, base uint16, m ProbeID) {
	sequence := uint16(m.Sequence)
	binary.BigEndian.PutUint16(b[udpChecksum:], sequence)
	binary.BigEndian.PutUint16(b[udpSequence:], sequence)
	binary.BigEndian.PutUint64(b[udpTag:], m.Tag)
	s := uint64(base) + 2*uint64(sequence) + sum64(m.Tag)
	binary.BigEndian.PutUint16(b[udpBalance:], ^fold(s))
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

// parseQuotedUDP takes the sequence from the payload where the quote reaches
// beyond it: address translators rewrite the checksum, and not all of them
// restore it in quotes.
func parseQuotedUDP(b []byte, _ bool, q *Quote) error {
	q.SourcePort, q.TargetPort = ports(b)
	at := udpChecksum
	if q.setTag(b, udpTag) {
		at = udpSequence
	}
	q.Sequence, q.HasSequence = uint32(binary.BigEndian.Uint16(b[at:])), true
	return nil
}
