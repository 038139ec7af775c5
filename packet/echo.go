package packet

import (
	"encoding/binary"
	"errors"
)

// Payload of an echo request.
const (
	echoTag     = 8
	echoBalance = 16
	echoFill    = 18
)

// echoCodec is that of an ICMP echo request (RFC 792, RFC 4443 section 4.1),
// plain or inside GRE.
var echoCodec = codec{
	protocol: [2]uint8{protocolICMP, protocolICMPv6},
	check:    checkEcho,
	write: func(segment []byte, flow Flow) {
		segment[0] = echoRequest(flow.Source.Is6())
		writeFill(segment, echoFill)
	},
	name: func(segment []byte, flow Flow) {
		binary.BigEndian.PutUint16(segment[icmpChecksum:], flow.Checksum)
		binary.BigEndian.PutUint16(segment[icmpID:], flow.EchoID)
	},
	patch:  patchEcho,
	quoted: parseQuotedEcho,
}

func checkEcho(flow Flow) error {
	if flow.Checksum == 0xffff {
		return errors.New("no packet has the checksum 0xffff")
	}
	return nil
}

// echoRequest is the ICMP type of an echo request.
func echoRequest(ipv6 bool) uint8 {
	if ipv6 {
		return icmpv6EchoRequest
	}
	return icmpEchoRequest
}

func patchEcho(b []byte, base uint16, m ProbeID) {
	sequence := uint16(m.Sequence)
	binary.BigEndian.PutUint16(b[icmpSequence:], sequence)
	binary.BigEndian.PutUint64(b[echoTag:], m.Tag)
	s := uint64(base) + uint64(sequence) + sum64(m.Tag)
	binary.BigEndian.PutUint16(b[echoBalance:], ^fold(s))
}

func parseEchoReply(b []byte, r *Reply) {
	r.Kind, r.Type = EchoReply, ICMP
	r.EchoID = binary.BigEndian.Uint16(b[icmpID:])
	r.Sequence, r.HasSequence = uint32(binary.BigEndian.Uint16(b[icmpSequence:])), true
	if len(b) >= echoTag+8 {
		r.Tag, r.HasTag = binary.BigEndian.Uint64(b[echoTag:]), true
	}
}

// parseQuotedEcho reads an echo request. Any other message is foreign.
func parseQuotedEcho(b []byte, ipv6 bool, q *Quote) error {
	if b[0] != echoRequest(ipv6) {
		return ErrForeign
	}
	q.Checksum = binary.BigEndian.Uint16(b[icmpChecksum:])
	q.EchoID = binary.BigEndian.Uint16(b[icmpID:])
	q.Sequence, q.HasSequence = uint32(binary.BigEndian.Uint16(b[icmpSequence:])), true
	q.setTag(b, echoTag)
	return nil
}
