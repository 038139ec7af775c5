package packet

import "net/netip"

// Flow is what all probes of one flow have in common: everything that a
// router may hash to choose among equal-cost paths (RFC 2992, Paris
// traceroute), so that one flow sees one path.
type Flow struct {
	Type           Type
	Source, Target netip.Addr // one family, no zone
	SourcePort     uint16     // UDP, TCP
	TargetPort     uint16     // UDP, TCP
	EchoID         uint16     // ICMP, GREEcho: identifier of the echo request
	Checksum       uint16     // ICMP, GREEcho: checksum that every echo request of the flow carries; never 0xffff
	Key            uint32     // GRE, GREEcho: key of the outer GRE header
	FlowLabel      uint32     // IPv6: 20 bits
	TOS            uint8      // IPv4 TOS, IPv6 traffic class
}

// ProbeID distinguishes the probes of a flow.
type ProbeID struct {
	// TTL is the IPv4 TTL or IPv6 hop limit, 1 to 255. GRE probes over IPv4
	// are padded with TTL-1 bytes, at most MaxPadding.
	TTL uint8
	// IPID is the IPv4 identification. It must not be 0: the kernel would
	// replace it. Not carried in IPv6.
	IPID uint16
	// Sequence names the probe within its flow: the ICMP echo sequence number
	// (16 bits), the UDP checksum (1 to 0xfffe, balanced by the payload), the
	// TCP sequence number (32 bits), and for GRE a number inside the keepalive.
	Sequence uint32
	// Tag is a value that only the sender can compute. It is carried in the
	// payload; for TCP its low 32 bits are the timestamp value (RFC 7323),
	// which must rise with the order of sending. What is carried must not be
	// 0, which is what a padded quote looks like.
	Tag uint64
}
