package prober

import (
	"net/netip"

	"probe-agent/packet"
)

// Codes that decide about arrival.
const (
	codeProtocol4   = 2 // RFC 792: protocol unreachable
	codePort4       = 3 // RFC 792: port unreachable
	codePort6       = 4 // RFC 4443 3.1: port unreachable
	codeNextHeader6 = 1 // RFC 4443 3.4: next header not recognised, IPv6's protocol unreachable
)

// conclude says what a reply means for its path: the target itself answered
// (arrival), or the path ends here one way or the other (ends).
//
// It is the kind of reply that tells. The source address alone would not: a
// target may forward packets as well, and routers may speak in its name.
func conclude(r *packet.Reply, target netip.Addr) (arrival, ends bool) {
	switch r.Kind {
	case packet.EchoReply, packet.SynAck, packet.Reset, packet.UDPAnswer, packet.GREAnswer, packet.Decapsulated:
		return true, true
	case packet.Unreachable:
		fromTarget := r.From == target
		if r.IPv6 {
			return fromTarget && r.Code == codePort6, true
		}
		return fromTarget && (r.Code == codePort4 || r.Code == codeProtocol4), true
	case packet.ParameterProblem:
		return r.IPv6 && r.Code == codeNextHeader6 && r.From == target, true
	case packet.PacketTooBig:
		return false, true
	}
	return false, false
}
