package rawsock

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// takesForeign finds out whether the kernel takes ICMP errors that quote the
// protocol of the sending socket for its own: it sends one over loopback.
// Kernels from before February 2026 do so for protocol 255. Where lo is down
// or a firewall interferes, the answer is no.
func (s *sender) takesForeign() bool {
	protocol, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	if err != nil {
		return false
	}
	forged := packet.Outgoing{Bytes: forgedError(s.v6, uint8(protocol)), TxID: 0x666f7267, Interface: loopbackIndex}
	if _, err := s.send([]packet.Outgoing{forged}); err != nil {
		return false
	}
	s.stamps.settle(forged.TxID)
	return s.stamps.foreign.Swap(0) > 0
}

// forgedError returns an ICMP error from loopback to itself, host or address
// unreachable (RFC 792, RFC 4443 section 3.1), that quotes a packet of the
// protocol.
func forgedError(v6 bool, protocol uint8) []byte {
	header := loopbackPacket(v6)
	if !v6 {
		header = header[:ip4HeaderLen]
	}
	quote := append([]byte(nil), header...)
	quote = append(quote, make([]byte, 8)...)
	message := make([]byte, 8, 8+len(quote))
	var pseudo []byte
	if v6 {
		header[6], quote[6], quote[5] = protocolICMPv6, protocol, 8
		message[0], message[1] = 1, 3
		length := uint16(cap(message))
		binary.BigEndian.PutUint16(header[4:], length)
		pseudo = append(pseudo, header[8:ip6HeaderLen]...)
		pseudo = append(pseudo, 0, 0, byte(length>>8), byte(length), 0, 0, 0, protocolICMPv6)
	} else {
		quote[9] = protocol
		message[0], message[1] = 3, 1
	}
	message = append(message, quote...)
	binary.BigEndian.PutUint16(message[2:], checksum(append(pseudo, message...)))
	return append(header, message...)
}

// checksum is that of RFC 1071; b has an even length.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}
