package netsim

import "encoding/binary"

// flowHash is what a router at a split takes of a packet: addresses, protocol,
// IPv6 flow label and the first four bytes of the transport header (ports of
// TCP and UDP; type, code and checksum of ICMP); of GRE the key. The salt
// differs from router to router, or all of them would choose alike.
func (d *datagram) flowHash(salt uint64) uint64 {
	h := mix(salt ^ uint64(d.protocol))
	if d.ipv6 {
		h = mix(h ^ uint64(binary.BigEndian.Uint32(d.bytes)&0xfffff))
		for at := 8; at < 40; at += 8 {
			h = mix(h ^ binary.BigEndian.Uint64(d.bytes[at:]))
		}
	} else {
		h = mix(h ^ binary.BigEndian.Uint64(d.bytes[12:]))
	}
	segment := d.segment()
	if d.later {
		return h
	}
	if d.protocol == protoGRE {
		if gre, ok := readGRE(segment); ok && gre.hasKey {
			h = mix(h ^ uint64(gre.key))
		}
		return h
	}
	if len(segment) >= 4 {
		h = mix(h ^ uint64(binary.BigEndian.Uint32(segment)))
	}
	return h
}

// mix is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014): every bit
// of the input moves every bit of the output.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// What chance is asked for.
const (
	drawLoss = iota + 1
	drawReplyLoss
	drawJitter
	drawTransmitStamp
	drawReceiveStamp
	saltSplit
	drawReturnLoss
	drawForgery
	drawGuess
)

// draw returns a number from [0, 1) that hangs on nothing but its arguments:
// who asks, for what, and for the how many-eth time.
func draw(seed uint64, purpose, n int) float64 {
	return float64(mix(mix(seed^uint64(purpose)<<56)^uint64(n))>>11) / (1 << 53)
}
