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

// Mark distinguishes the probes of a flow.
type Mark struct {
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

// RouteQuery is what routing decisions look at in the packets of a flow.
type RouteQuery struct {
	Target                 netip.Addr
	Protocol               uint8  // of the IP header; see Type.Protocol
	SourcePort, TargetPort uint16 // UDP, TCP; 0 otherwise
}

// Route is where the packets of a flow leave from.
type Route struct {
	Source netip.Addr
	// Interface is the index of the network interface that the packets must
	// leave through. 0 leaves it to the routing table, which takes it from
	// the source address and the protocol.
	Interface int
}

// Outgoing is one crafted IP packet on its way to the wire. Source,
// destination and protocol are read from its IP header.
type Outgoing struct {
	Bytes     []byte // whole IP packet, IPv4 or IPv6
	Token     uint32 // handed back with the packet's transmit Stamp
	Interface int    // as in the flow's Route
}

// Stamp is the kernel's word on when an Outgoing packet left.
type Stamp struct {
	Token uint32
	// Wall is the transmit time by CLOCK_REALTIME, nanoseconds since 1970.
	Wall int64
}

// Incoming is one received packet. For IPv4, Bytes starts with the IP header
// and the address fields may stay unset. For IPv6 raw sockets give no header:
// Bytes starts behind it (and behind extension headers), and Protocol, From,
// To, HopLimit and TrafficClass say what the header said.
type Incoming struct {
	Bytes        []byte
	IPv6         bool
	Protocol     uint8
	From, To     netip.Addr
	HopLimit     uint8 // 0 when unknown
	TrafficClass uint8
	// Wall is the kernel's receive time by CLOCK_REALTIME, nanoseconds since
	// 1970; 0 when the kernel gave none.
	Wall int64
}
