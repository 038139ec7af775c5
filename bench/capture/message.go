package capture

import (
	"encoding/binary"
	"net/netip"
)

// Numbers of RFC 791, RFC 792 and IEEE 802.3.
const (
	etherHeader      = 14
	etherIPv4        = 0x0800
	ipHeader         = 20
	protocolICMP     = 1
	icmpHeader       = 8
	typeEchoReply    = 0
	typeUnreachable  = 3
	typeEchoRequest  = 8
	typeTimeExceeded = 11
)

// echo is what an ICMP echo request and everything that answers it share.
type echo struct {
	target       netip.Addr
	id, sequence uint16
}

// message is an IPv4 packet of interest: an echo request on its way out, or
// an answer.
type message struct {
	echo
	request bool
	ttl     int // of a request
}

// read finds the message in an Ethernet frame. Frames of another kind, and
// those that are too short or wrong, give ok false.
func read(frame []byte) (m message, ok bool) {
	if len(frame) < etherHeader || binary.BigEndian.Uint16(frame[12:]) != etherIPv4 {
		return m, false
	}
	ip := frame[etherHeader:]
	icmp, ok := payload(ip)
	if !ok {
		return m, false
	}
	switch icmp[0] {
	case typeEchoRequest:
		return message{echo: echoOf(ip[16:20], icmp), request: true, ttl: int(ip[8])}, true
	case typeEchoReply:
		return message{echo: echoOf(ip[12:16], icmp)}, true
	case typeTimeExceeded, typeUnreachable:
		quoted := icmp[icmpHeader:]
		inner, ok := payload(quoted)
		if !ok || inner[0] != typeEchoRequest {
			return m, false
		}
		return message{echo: echoOf(quoted[16:20], inner)}, true
	}
	return m, false
}

// payload returns the ICMP message in an IPv4 packet, at least its header.
func payload(ip []byte) (icmp []byte, ok bool) {
	if len(ip) < ipHeader || ip[0]>>4 != 4 || ip[9] != protocolICMP {
		return nil, false
	}
	length := int(ip[0]&0xf) * 4
	if length < ipHeader || len(ip) < length+icmpHeader {
		return nil, false
	}
	return ip[length:], true
}

func echoOf(target, icmp []byte) echo {
	address, _ := netip.AddrFromSlice(target)
	return echo{target: address, id: binary.BigEndian.Uint16(icmp[4:]), sequence: binary.BigEndian.Uint16(icmp[6:])}
}
