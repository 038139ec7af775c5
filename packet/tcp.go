package packet

import (
	"encoding/binary"
)

// TCP (RFC 9293 section 3.1).
const (
	tcpHeaderLen       = 20 // without options
	tcpSequence        = 4
	tcpAcknowledgement = 8
	tcpDataOffset      = 12
	tcpFlags           = 13
	tcpWindow          = 14
	tcpChecksum        = 16
	tcpTimestampOption = 26 // in a probe's options: kind, length, value, echo
	tcpTimestamp       = 28
	timestampKindLen   = 8<<8 | 10 // RFC 7323 section 3.2

	tcpSYN = 0x02
	tcpRST = 0x04
	tcpACK = 0x10
)

// The SYN of a TCP probe is Linux's own: its window, and its options in its
// order, so that middleboxes take the probe for a connection attempt.
const (
	synWindow      = 64240
	synMSSv4       = 1460
	synMSSv6       = 1440
	synWindowScale = 7
)

// tcpCodec is that of a TCP SYN.
var tcpCodec = codec{
	protocol: [2]uint8{protocolTCP, protocolTCP},
	write:    writeSYN,
	name:     nameSourcePort,
	patch:    patchTCP,
	pseudo:   true,
	quoted:   parseQuotedTCP,
	answer:   parseTCP,
}

// writeSYN writes a SYN with Linux's options, 20 bytes: maximum segment size,
// SACK permitted, timestamps, NOP, window scale (RFC 9293 section 3.2, RFC 2018
// section 2, RFC 7323 sections 2.2 and 3.2).
func writeSYN(segment []byte, flow Flow) {
	binary.BigEndian.PutUint16(segment[targetPort:], flow.TargetPort)
	segment[tcpDataOffset], segment[tcpFlags] = segmentLen/4<<4, tcpSYN
	binary.BigEndian.PutUint16(segment[tcpWindow:], synWindow)
	mss := uint16(synMSSv4)
	if flow.Source.Is6() {
		mss = synMSSv6
	}
	copy(segment[tcpHeaderLen:], []byte{
		2, 4, byte(mss >> 8), byte(mss), 4, 2, 8, 10,
		0, 0, 0, 0, 0, 0, 0, 0, // patch writes the timestamp value
		1, 3, 3, synWindowScale,
	})
}

func patchTCP(b []byte, base uint16, m ProbeID) {
	timestamp := uint32(m.Tag)
	binary.BigEndian.PutUint32(b[tcpSequence:], m.Sequence)
	binary.BigEndian.PutUint32(b[tcpTimestamp:], timestamp)
	s := uint64(base) + uint64(m.Sequence) + uint64(timestamp)
	binary.BigEndian.PutUint16(b[tcpChecksum:], ^fold(s))
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

// parseQuotedTCP reads a SYN, with its timestamp value where the quote reaches
// that far and the options are laid out as Build does it.
func parseQuotedTCP(b []byte, _ bool, q *Quote) error {
	q.SourcePort, q.TargetPort = ports(b)
	q.Sequence, q.HasSequence = binary.BigEndian.Uint32(b[tcpSequence:]), true
	if len(b) >= tcpTimestamp+4 && binary.BigEndian.Uint16(b[tcpTimestampOption:]) == timestampKindLen {
		q.Tag = uint64(binary.BigEndian.Uint32(b[tcpTimestamp:]))
		q.HasTag = q.Tag != 0
	}
	return nil
}
