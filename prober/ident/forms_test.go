package ident

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"probe-agent/packet"
)

// The forms of an answer.
const (
	formTimeExceeded = iota
	formUnreachable
	formTooBig
	formParameterProblem
	formReply // of the target, by the probe's type
	formInner // what the inner packet of GRE comes to at the tunnel's end
	answerForms
)

// answerTo returns a right answer to a probe, with so many bytes quoted behind
// the probe's IP header.
func answerTo(probe []byte, form, quoted int) packet.Incoming {
	ipv6 := probe[0]>>4 == 6
	header, protocol, router := 20, uint8(1), netip.MustParseAddr("203.0.113.1")
	source, target := netip.AddrFrom4([4]byte(probe[12:16])), netip.AddrFrom4([4]byte(probe[16:20]))
	if ipv6 {
		header, protocol, router = 40, 58, netip.MustParseAddr("2001:db8:f::1")
		source, target = netip.AddrFrom16([16]byte(probe[8:24])), netip.AddrFrom16([16]byte(probe[24:40]))
	}
	from := router
	var body []byte
	switch {
	case form == formReply:
		from, protocol, body = target, transportOf(probe), replyOf(probe, header, ipv6)
	case form == formInner && transportOf(probe) == 47:
		inner := probe[header+8:]
		from, protocol, body = target, transportOf(inner), bytes.Clone(inner[header:])
		if protocol != 47 {
			body = replyOf(inner, header, ipv6)
		}
	default:
		kinds := [2][4]byte{{11, 3, 3, 12}, {3, 1, 2, 4}}
		body = make([]byte, 8, 8+len(probe))
		body[0] = kinds[0][form%4]
		if ipv6 {
			body[0] = kinds[1][form%4]
		} else if form == formTooBig {
			body[1], body[6], body[7] = 4, 5, 220
		}
		body = append(body, probe[:min(len(probe), header+quoted)]...)
	}
	if ipv6 {
		return packet.Incoming{IPv6: true, Protocol: protocol, From: from, To: source, HopLimit: 60, Bytes: body}
	}
	whole := append([]byte{0x45, 0, 0, 0, 0, 0, 0, 0, 60, protocol, 0, 0}, append(from.AsSlice(), source.AsSlice()...)...)
	whole = append(whole, body...)
	binary.BigEndian.PutUint16(whole[2:], uint16(len(whole)))
	return packet.Incoming{Bytes: whole}
}

func transportOf(p []byte) uint8 {
	if p[0]>>4 == 6 {
		return p[6]
	}
	return p[9]
}

// replyOf returns what a target makes of a probe, from behind the IP header.
func replyOf(probe []byte, header int, ipv6 bool) []byte {
	b := bytes.Clone(probe[header:])
	switch protocol := transportOf(probe); {
	case protocol == 1 || protocol == 58:
		b[0] = 0
		if ipv6 {
			b[0] = 129
		}
	case protocol == 6:
		copy(b, []byte{b[2], b[3], b[0], b[1]})
		binary.BigEndian.PutUint32(b[8:], binary.BigEndian.Uint32(b[4:])+1)
		b[13] = 0x12
	case protocol != 47: // a datagram
		copy(b, []byte{b[2], b[3], b[0], b[1]})
		b[6], b[7] = 0, 0
	}
	return b
}

// mendChecksum makes an IPv4 ICMP message's checksum right again, so that not
// every change ends there. In IPv6 the kernel has checked it.
func mendChecksum(in *packet.Incoming) {
	b := in.Bytes
	if in.IPv6 || len(b) < 28 || b[9] != 1 {
		return
	}
	start, end := int(b[0]&15)*4, int(binary.BigEndian.Uint16(b[2:]))
	if start+8 > end || end > len(b) {
		return
	}
	message := b[start:end]
	message[2], message[3] = 0, 0
	sum := uint32(0)
	for i, octet := range message {
		sum += uint32(octet) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(message[2:], ^uint16(sum))
}
