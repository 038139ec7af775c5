package traceroute

// Kind is the kind of packet that answered a probe.
type Kind uint8

// The kinds of reply.
const (
	EchoReply        Kind = iota + 1
	TimeExceeded          // ICMP 11, ICMPv6 3; code 0 in transit, 1 in reassembly
	Unreachable           // ICMP 3, ICMPv6 1, with its code
	PacketTooBig          // ICMPv6 2; IPv4's is Unreachable code 4
	ParameterProblem      // ICMP 12, ICMPv6 4
	SynAck                // TCP SYN+ACK
	Reset                 // TCP RST
	UDPAnswer             // a UDP datagram
	GREAnswer             // a GRE packet from the target that is not our keepalive come home
	Decapsulated          // the keepalive of a GRE probe, sent home by a tunnel endpoint
)

var kindNames = []string{
	EchoReply: "echo-reply", TimeExceeded: "time-exceeded", Unreachable: "unreachable", PacketTooBig: "packet-too-big",
	ParameterProblem: "parameter-problem", SynAck: "syn-ack", Reset: "reset", UDPAnswer: "udp-answer",
	GREAnswer: "gre-answer", Decapsulated: "decapsulated",
}

// String returns a short lower-case name, such as time-exceeded.
func (k Kind) String() string { return nameOf(kindNames, "kind", k) }

// ParseKind is the inverse of String.
func ParseKind(name string) (Kind, error) { return parseName[Kind](kindNames, "kind of reply", name) }

// IsError reports whether the kind is an ICMP error, which has a code and
// quotes the probe.
func (k Kind) IsError() bool { return k >= TimeExceeded && k <= ParameterProblem }

// codeReassembly is the code of time exceeded in fragment reassembly (RFC 792,
// RFC 4443 section 3.3).
const codeReassembly = 1

// EndsPath reports whether an ICMP error of the kind and code means that no
// probe of its flow gets further. Time exceeded in transit does not. Time
// exceeded in reassembly does: it is not about the TTL, but about a probe that
// a host or middlebox received in fragments and dropped. Other kinds are no
// errors; for them it is false.
func (k Kind) EndsPath(code uint8) bool {
	return k.IsError() && (k != TimeExceeded || code == codeReassembly)
}
