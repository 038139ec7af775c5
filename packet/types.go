package packet

import "errors"

// Type is the kind of probe that goes over the wire.
type Type uint8

// The probe types. GREEcho is a GRE-encapsulated ICMP echo request; GRE is a
// GRE packet with a keepalive in it.
const (
	ICMP Type = iota + 1
	UDP
	TCP
	GRE
	GREEcho

	typesEnd
)

// descriptors has one row for each Type: all that the rest of the program has
// to know of it. Where two types share a protocol, the first is the Type of
// what is quoted and answered, and its codec reads both.
var descriptors = [typesEnd]descriptor{
	ICMP: {
		name: "icmp", protocol: [2]uint8{protocolICMP, protocolICMPv6},
		numbering: ByOrder, codec: &echoCodec,
	},
	UDP: {
		name: "udp", protocol: [2]uint8{protocolUDP, protocolUDP},
		numbering: ByChecksum, ports: true, anyRefuser: true, codec: &udpCodec,
	},
	TCP: {
		name: "tcp", protocol: [2]uint8{protocolTCP, protocolTCP},
		numbering: BySYN, ports: true, stream: true, codec: &tcpCodec,
		answers: []Condition{{Offset: tcpFlags, Mask: tcpRST, Value: tcpRST}, {Offset: tcpFlags, Mask: tcpSYN | tcpACK, Value: tcpSYN | tcpACK}},
	},
	GRE: { // rare on a host, and its answers take many forms: no condition
		name: "gre", protocol: [2]uint8{protocolGRE, protocolGRE},
		numbering: ByTTL, tunnel: homeward, codec: &keepaliveCodec,
	},
	GREEcho: {
		name: "gre-echo", protocol: [2]uint8{protocolGRE, protocolGRE},
		numbering: ByOrder, tunnel: onward, codec: &echoCodec,
	},
}

// descriptor is a row of the table of types.
type descriptor struct {
	name       string
	protocol   [2]uint8    // in the IP header, by family: IPv4, IPv6
	numbering  Numbering   // how probes of a flow are told apart
	ports      bool        // the segment starts with a source and a destination port, which identify the flow
	stream     bool        // a host holds such a port with a stream socket
	anyRefuser bool        // a port unreachable counts as arrival from any address of the target's host
	tunnel     tunnel      // what surrounds the segment
	answers    []Condition // of the packets that answer: one of them holds; none: every packet may
	codec      *codec
}

// tunnel says whether the segment is inside an IP packet inside GRE.
type tunnel uint8

const (
	direct   tunnel = iota // behind the IP header
	onward                 // in a packet from the source to the target
	homeward               // in a packet from the target to the source
)

// codec writes and reads the segment that identifies a probe.
type codec struct {
	protocol [2]uint8 // of the segment, by family
	// check returns why a flow cannot be probed; nil: every flow can.
	check func(flow Flow) error
	// write writes the segment, segmentLen bytes that are 0, without a checksum
	// and without what name and patch write.
	write func(segment []byte, flow Flow)
	// name writes what differs between the flows of a trace.
	name func(segment []byte, flow Flow)
	// patch writes what differs between the probes of a flow. base is the
	// folded sum of the named segment and, where the checksum covers one, of
	// the pseudo header.
	patch func(segment []byte, base uint16, m ProbeID)
	// pseudo: the checksum covers a pseudo header over IPv4 too, as it does
	// over IPv6 (RFC 8200 section 8.1).
	pseudo bool
	// quoted reads what a router quotes of a packet of the type's protocol,
	// minQuoted bytes or more.
	quoted func(b []byte, ipv6 bool, q *Quote) error
	// answer reads what the target itself sends by the type's protocol; nil
	// for ICMP, which is read before.
	answer func(b []byte, r *Reply) error
}

// Numbering is how the probes of a flow are told apart, by ProbeID.Sequence.
type Numbering uint8

// The numberings.
const (
	ByOrder    Numbering = iota // a number that rises with each probe of the trace
	ByChecksum                  // the checksum, which contains the TTL
	BySYN                       // a sequence number that rises with each SYN of the flow
	ByTTL                       // the TTL itself
)

// Space is a set of flow identifiers of 16 bits: those of two spaces cannot be
// mistaken for each other. IdentifierSpace is that of the types without ports,
// whose packets carry the identifier; a type with ports has a space to itself.
type Space uint8

// IdentifierSpace has the echo identifiers and the upper halves of GRE keys.
const IdentifierSpace Space = 0

// Spaces is more than the highest Space.
const Spaces = int(typesEnd)

// Types returns every type, in the order of the table.
func Types() []Type {
	types := make([]Type, 0, typesEnd-1)
	for t := range typesEnd {
		if t.valid() {
			types = append(types, t)
		}
	}
	return types
}

func (t Type) valid() bool { return t > 0 && t < typesEnd }

// row returns the type's row of the table, an empty one for no such type.
func (t Type) row() *descriptor {
	if !t.valid() {
		t = 0
	}
	return &descriptors[t]
}

// String returns the name used in requests and results.
func (t Type) String() string {
	if !t.valid() {
		return "unknown"
	}
	return t.row().name
}

// Protocol returns the number in the IP header of the type's probes, the
// IPv4 protocol or the IPv6 next header; 0 for no such type.
func (t Type) Protocol(ipv6 bool) uint8 { return t.row().protocol[family(ipv6)] }

// Numbering returns how the probes of a flow are told apart.
func (t Type) Numbering() Numbering { return t.row().numbering }

// HasPorts reports whether flows are identified by their ports.
func (t Type) HasPorts() bool { return t.row().ports }

// Space returns the space of the type's flow identifiers.
func (t Type) Space() Space {
	if t.HasPorts() {
		return Space(t)
	}
	return IdentifierSpace
}

// Encapsulated reports whether probes are inside GRE, and so identified by its
// key.
func (t Type) Encapsulated() bool { return t.row().tunnel != direct }

// TTLOf returns the TTL of a probe by its total length in bytes, as its quoted
// IPv4 header gives it. ok is false for types and families whose probes are all
// of one length, and for a length that no probe has.
func (t Type) TTLOf(ipv6 bool, length uint32) (ttl int, ok bool) {
	padding := int(length) - (2*ipv4HeaderLen + greHeaderLen + segmentLen)
	if !t.Encapsulated() || ipv6 || padding < 0 || padding > MaxPadding {
		return 0, false
	}
	return padding + 1, true
}

// AnyRefuser reports whether a host may refuse the type's probes from another
// of its addresses than the one probed.
func (t Type) AnyRefuser() bool { return t.row().anyRefuser }

// family is the index of a family in the table: 0 for IPv4, 1 for IPv6.
func family(ipv6 bool) int {
	if ipv6 {
		return 1
	}
	return 0
}

// answeredBy returns the type whose codec reads packets of a protocol, 0 if no
// probe travels by it.
func answeredBy(protocol uint8, ipv6 bool) Type {
	return typeOfProtocol[family(ipv6)][protocol]
}

// typeOfProtocol is the inverse of Protocol, by family.
var typeOfProtocol = func() (inverse [2][256]Type) {
	for t := typesEnd - 1; t > 0; t-- {
		for family, protocol := range descriptors[t].protocol {
			inverse[family][protocol] = t
		}
	}
	return inverse
}()

func (f *Flow) validate() error {
	switch {
	case !f.Type.valid():
		return errors.New("no such type")
	case !probeable(f.Source), !probeable(f.Target):
		return errors.New("an address is unset, IPv4-mapped or zoned")
	case f.Source.Is4() != f.Target.Is4():
		return errors.New("addresses of two families")
	case f.Type.HasPorts() && (f.SourcePort == 0 || f.TargetPort == 0):
		return errors.New("port 0")
	case f.FlowLabel > maxFlowLabel:
		return errors.New("flow label of more than 20 bits")
	}
	if check := f.Type.row().codec.check; check != nil {
		return check(*f)
	}
	return nil
}
