package packet

import (
	"encoding/binary"

	"github.com/google/gopacket"
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
	layers: func(flow *Flow) []gopacket.SerializableLayer {
		return []gopacket.SerializableLayer{&synHeader{source: flow.SourcePort, target: flow.TargetPort}, synOptions(flow)}
	},
	name:   nameSourcePort,
	patch:  patchTCP,
	pseudo: true,
	quoted: parseQuotedTCP,
	answer: parseTCP,
}

// synHeader is the TCP header of a SYN; its options follow it.
type synHeader struct {
	header
	source, target uint16
}

// SerializeTo writes the header. All that the buffer holds counts as options,
// in whole words of 4 bytes.
func (h *synHeader) SerializeTo(to gopacket.SerializeBuffer, _ gopacket.SerializeOptions) error {
	length := tcpHeaderLen + len(to.Bytes())
	b, err := prepend(to, tcpHeaderLen)
	if err != nil {
		return err
	}
	binary.BigEndian.PutUint16(b, h.source)
	binary.BigEndian.PutUint16(b[2:], h.target)
	b[tcpDataOffset], b[tcpFlags] = uint8(length/4)<<4, tcpSYN
	binary.BigEndian.PutUint16(b[tcpWindow:], synWindow)
	return nil
}

// synOptions are those of Linux, 20 bytes: maximum segment size, SACK
// permitted, timestamps, NOP, window scale (RFC 9293 section 3.2, RFC 2018
// section 2, RFC 7323 sections 2.2 and 3.2).
func synOptions(flow *Flow) gopacket.Payload {
	mss := uint16(synMSSv4)
	if flow.Source.Is6() {
		mss = synMSSv6
	}
	b := binary.BigEndian.AppendUint16([]byte{2, 4}, mss)
	b = append(b, 4, 2, 8, 10)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, synWindowScale) // Build writes the timestamp value
}

func patchTCP(b []byte, base uint16, m Mark) {
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
