package netsim

import (
	"encoding/binary"
	"net/netip"
)

// forgeReply returns what the target would answer to a packet, with a flaw;
// nil when the packet is too short to answer.
func (w *walk) forgeReply(d *datagram, flaw Flaw, from netip.Addr) []byte {
	if flaw == WrongDestination {
		from = from.Next()
	}
	segment := d.segment()
	switch d.kind() {
	case ICMP:
		return w.forgeEcho(segment, flaw, from)
	case TCP:
		return w.forgeSynAck(segment, flaw, from)
	case UDP:
		return w.forgeDatagram(segment, flaw, from)
	case GRE:
		return w.forgeGRE(segment, flaw, from)
	}
	return nil
}

func (w *walk) forgeEcho(request []byte, flaw Flaw, from netip.Addr) []byte {
	if len(request) < icmpHeader {
		return nil
	}
	packet, message := newPacket(envelope{source: from, target: w.prober, protocol: w.protocol, ttl: 64}, len(request))
	copy(message, request)
	switch flaw {
	case WrongProof:
		flip(message[icmpHeader:])
	case WrongNumber:
		message[6] ^= 0x80
	}
	writeEchoReply(packet, message, append([]byte(nil), message...), w.protocol)
	return packet
}

func (w *walk) forgeSynAck(syn []byte, flaw Flaw, from netip.Addr) []byte {
	if len(syn) < tcpHeader {
		return nil
	}
	packet, answer := newPacket(envelope{source: from, target: w.prober, protocol: protoTCP, ttl: 64}, tcpHeader)
	copy(answer, syn[2:4])
	copy(answer[2:], syn[:2])
	a := tcpAnswer{acknowledgement: binary.BigEndian.Uint32(syn[4:]) + 1, flags: flagSYN | flagACK, window: 0xffff}
	switch flaw {
	case WrongProof:
		a.acknowledgement = binary.BigEndian.Uint32(syn[4:]) ^ 0xffff + 1
	case WrongPort:
		answer[1]++
	}
	a.write(answer)
	seal(packet, answer, protoTCP)
	return packet
}

func (w *walk) forgeDatagram(probe []byte, flaw Flaw, from netip.Addr) []byte {
	if len(probe) < udpHeader {
		return nil
	}
	packet, answer := newPacket(envelope{source: from, target: w.prober, protocol: protoUDP, ttl: 64}, len(probe))
	copy(answer[udpHeader:], probe[udpHeader:])
	copy(answer, probe[2:4])
	copy(answer[2:], probe[:2])
	if flaw == WrongPort {
		answer[1]++
	}
	binary.BigEndian.PutUint16(answer[4:], uint16(len(answer)))
	seal(packet, answer, protoUDP)
	return packet
}

// forgeGRE returns the keepalive in a GRE packet as if it had been unpacked,
// its key wrong unless the flaw is another.
func (w *walk) forgeGRE(probe []byte, flaw Flaw, from netip.Addr) []byte {
	h, ok := readGRE(probe)
	if !ok {
		return nil
	}
	inner, ok := readDatagram(probe[h.length:])
	if !ok || len(inner.segment()) < 8 {
		return nil
	}
	packet, answer := newPacket(envelope{source: from, target: w.prober, protocol: protoGRE, ttl: 64}, len(inner.segment()))
	copy(answer, inner.segment())
	if flaw == WrongProof {
		flip(answer[6:8])
	}
	return packet
}
