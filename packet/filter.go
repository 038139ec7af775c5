package packet

// Filter says which packets of one protocol can answer a probe. A transport
// may drop all others before they are parsed.
type Filter struct {
	Protocol uint8 // in the IP header
	// Ports: the destination port, in bytes 2 and 3 behind the IP header, is
	// one of those that probes have as source.
	Ports bool
	// Any: one of the conditions holds; without conditions every packet
	// passes.
	Any []Condition
}

// Condition holds when a byte behind the IP header, masked, has a value.
type Condition struct {
	Offset, Mask, Value uint8
}

// Filters returns a filter for each protocol that probes and their answers
// travel by, that of ICMP first.
func Filters(ipv6 bool) []Filter {
	var filters []Filter
	for _, t := range Types() {
		if protocol := t.Protocol(ipv6); answeredBy(protocol, ipv6) == t {
			filters = append(filters, Filter{Protocol: protocol, Ports: t.HasPorts(), Any: t.row().answers})
		}
	}
	types := []uint8{icmpEchoReply, icmpUnreachable, icmpTimeExceeded, icmpParameterProblem}
	if ipv6 {
		types = []uint8{icmpv6Unreachable, icmpv6PacketTooBig, icmpv6TimeExceeded, icmpv6ParameterProblem, icmpv6EchoReply}
	}
	for _, typ := range types {
		filters[0].Any = append(filters[0].Any, Condition{Mask: 0xff, Value: typ})
	}
	return filters
}

// PortProtocol is a protocol whose ports identify flows.
type PortProtocol struct {
	Protocol uint8 // the same for both families
	Stream   bool  // its sockets are stream sockets, else datagram sockets
}

// PortProtocols returns the protocols whose ports a host has to hold, so that
// nothing else of it uses them.
func PortProtocols() []PortProtocol {
	var protocols []PortProtocol
	for _, t := range Types() {
		if t.HasPorts() {
			protocols = append(protocols, PortProtocol{Protocol: t.Protocol(false), Stream: t.row().stream})
		}
	}
	return protocols
}
