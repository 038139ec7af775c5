package packet

import (
	"encoding/binary"
)

// GRE (RFC 2784, with the key of RFC 2890).
const (
	greHeaderLen = 8 // with key, without checksum and sequence number
	greProtocol  = 2
	greKey       = 4 // where no checksum is present
	greInner     = greHeaderLen

	greChecksumPresent = 0x8000
	greRoutingPresent  = 0x4000 // RFC 1701, withdrawn by RFC 2784
	greKeyPresent      = 0x2000
	greVersion         = 0x0007

	greKeepalive = 0x0000 // protocol type of a keepalive, as Cisco's

	etherTypeIPv4 = 0x0800
	etherTypeIPv6 = 0x86dd
)

// Keepalive in a GRE probe: a GRE header with key, then the payload.
const (
	keepaliveSequence = 8
	keepaliveTag      = 12
	keepaliveFill     = 20
)

// keepaliveCodec is that of a keepalive: a GRE packet without a payload of
// another protocol, which goes back to the source when a tunnel endpoint
// decapsulates it.
var keepaliveCodec = codec{
	protocol: [2]uint8{protocolGRE, protocolGRE},
	write: func(segment []byte, _ Flow) {
		binary.BigEndian.PutUint16(segment, greKeyPresent)
		binary.BigEndian.PutUint16(segment[greProtocol:], greKeepalive)
		writeFill(segment, keepaliveFill)
	},
	name: func(segment []byte, flow Flow) { binary.BigEndian.PutUint32(segment[greKey:], flow.Key) },
	patch: func(segment []byte, _ uint16, m ProbeID) { // it has no checksum
		binary.BigEndian.PutUint32(segment[keepaliveSequence:], m.Sequence)
		binary.BigEndian.PutUint64(segment[keepaliveTag:], m.Tag)
	},
	quoted: parseQuotedGRE,
	answer: parseGRE,
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

// parseQuotedGRE reads the header and, where the quote reaches that far, the
// inner packet, both of exactly the layout that Build gives them.
func parseQuotedGRE(b []byte, ipv6 bool, q *Quote) error {
	if binary.BigEndian.Uint16(b) != greKeyPresent {
		return nil
	}
	q.Key, q.HasKey = binary.BigEndian.Uint32(b[greKey:]), true
	protocol, segment := innerSegment(b[greInner:])
	switch {
	case len(segment) < minQuoted:
	case protocol == protocolGRE:
		number, tag, ok := parseKeepalive(segment)
		if ok && tag != 0 {
			q.Sequence, q.HasSequence = number, true
			q.Tag, q.HasTag = tag, true
		}
	case protocol == echoCodec.protocol[family(ipv6)]:
		_ = parseQuotedEcho(segment, ipv6, q) // another message says nothing further
	}
	return nil
}

// innerSegment returns what an encapsulated IP packet of ours carries.
func innerSegment(b []byte) (protocol uint8, segment []byte) {
	switch {
	case len(b) >= ipv4HeaderLen && b[0] == ipv4VersionIHL:
		return b[ipv4Protocol], b[ipv4HeaderLen:]
	case len(b) >= ipv6HeaderLen && b[0]>>4 == 6:
		return b[ipv6NextHeader], b[ipv6HeaderLen:]
	}
	return 0, nil
}
