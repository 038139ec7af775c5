package packet

// Wire layouts of the probes. Build and Parse share the offsets below.
//
// Outer header, patched per probe:
//
//	IPv4 (20 bytes)  2 total length, 4 IPID, 6 DF, 8 TTL, 10 checksum; IHL 5
//	IPv6 (40 bytes)  0 traffic class and flow label (constant), 7 hop limit
//
// Behind it, by type; "*" marks what differs between the probes of a flow,
// "=" what makes a checksum come out as wanted:
//
//	ICMP    0 echo request, 2 checksum (constant), 4 id, 6 sequence*,
//	        8 tag*, 16 balance=, 18 fill to 40
//	UDP     0 ports, 4 length, 6 checksum (the sequence)*,
//	        8 sequence*, 10 tag*, 18 balance=, 20 fill to 40
//	TCP     0 ports, 4 sequence*, 12 SYN, 14 window, 16 checksum*,
//	        20 MSS, 24 SACK permitted, 26 timestamps (value: tag*), 36 NOP, 37 window scale, to 40
//	GRE     0 flags (K), 2 protocol type, 4 key, 8 inner IP header,
//	        then from target to source a keepalive:
//	        0 flags (K), 2 protocol type 0, 4 key, 8 sequence*, 12 tag*, 20 fill to 40
//	GREEcho 0 flags (K), 2 protocol type, 4 key, 8 inner IP header,
//	        then from source to target ICMP as above
//
// So a probe is 40 bytes behind its IP header (60 and 80 bytes in all, as
// traceroute(8) sends), or 40 bytes behind the inner one of two IP headers and
// a GRE header (88 and 128 bytes). Over IPv4, TTL-1 zero bytes follow these:
// the receiver of the inner packet ignores what lies beyond its total length.
// Over IPv6 they are not needed, and would make the packet longer than the 128
// bytes behind which old routers put their extensions (RFC 4884 section 5).
//
// The first 8 bytes behind the IP header, which every router quotes (RFC 792),
// identify the flow in each type, and the probe too in all but the GRE ones.
// Those are distinguished by the inner packet where a router quotes more (RFC
// 1812 section 4.3.2.3, RFC 4443 section 2.4), by the IPID, or by the length
// in the quoted IPv4 header.

// MaxPadding is the most that a GRE probe is padded with: that of TTL 64.
const MaxPadding = 63

// MaxProbeLen is the length of the longest probe: GRE over IPv4.
const MaxProbeLen = ipv4HeaderLen + greHeaderLen + ipv4HeaderLen + segmentLen + MaxPadding

// segmentLen is the length of every ICMP, UDP, TCP and keepalive segment:
// 8 bytes of header and 32 of payload, or a SYN with 20 bytes of options.
const segmentLen = 40

// targetPort is where a segment with ports has the destination; the source is
// before it.
const targetPort = 2

// IPv4 header (RFC 791 section 3.1).
const (
	ipv4HeaderLen = 20 // without options
	ipv4TOS       = 1
	ipv4TotalLen  = 2
	ipv4ID        = 4
	ipv4Fragment  = 6
	ipv4TTL       = 8
	ipv4Protocol  = 9
	ipv4Checksum  = 10
	ipv4Source    = 12
	ipv4Target    = 16

	ipv4VersionIHL   = 0x45   // version 4 without options, as in every probe
	ipv4DontFragment = 0x4000 // of the fragment field
	ipv4SwappedDF    = 0x0040 // the same in the byte order of a small-endian host
	fragmentOffset   = 0x1fff // mask, in units of 8 bytes
)

// IPv6 header (RFC 8200 section 3).
const (
	ipv6HeaderLen  = 40
	ipv6PayloadLen = 4
	ipv6NextHeader = 6
	ipv6HopLimit   = 7
	ipv6Source     = 8
	ipv6Target     = 24

	maxFlowLabel = 0xfffff
)

// Protocol numbers, and those of IPv6 extension headers.
const (
	protocolHopByHop    = 0
	protocolICMP        = 1
	protocolTCP         = 6
	protocolUDP         = 17
	protocolRouting     = 43
	protocolFragment    = 44
	protocolGRE         = 47
	protocolAH          = 51
	protocolICMPv6      = 58
	protocolDestOptions = 60
)

// ICMP and ICMPv6 (RFC 792, RFC 4443).
const (
	icmpHeaderLen = 8
	icmpCode      = 1
	icmpChecksum  = 2
	icmpID        = 4 // echo
	icmpSequence  = 6 // echo
	icmpMTU       = 6 // unreachable code 4 (RFC 1191 section 4)
	icmpPointer   = 4 // parameter problem: one byte
	icmpv6Word    = 4 // packet too big: MTU; parameter problem: pointer

	icmpLength   = 5 // RFC 4884 section 4: quote length in 32-bit words
	icmpv6Length = 4 // RFC 4884 section 4: quote length in 64-bit words

	icmpFragmentationNeeded = 4 // code of unreachable
)

// Message types.
const (
	icmpEchoReply        = 0
	icmpUnreachable      = 3
	icmpEchoRequest      = 8
	icmpTimeExceeded     = 11
	icmpParameterProblem = 12

	icmpv6Unreachable      = 1
	icmpv6PacketTooBig     = 2
	icmpv6TimeExceeded     = 3
	icmpv6ParameterProblem = 4
	icmpv6EchoRequest      = 128
	icmpv6EchoReply        = 129
)

// innerTTL is the TTL of encapsulated packets: the default of RFC 1700, enough
// for any path and low enough to end a loop soon.
const innerTTL = 64

// fill is what the rest of a payload is filled with, cut to length. Whoever
// wonders about a captured probe can read what sent it.
const fill = "probe-agent traceroute"
