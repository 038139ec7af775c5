package packet

import (
	"bytes"
	"net/netip"
)

// Kind says what a received packet is.
type Kind uint8

// The kinds of reply that can belong to a probe.
const (
	EchoReply        Kind = iota + 1
	TimeExceeded          // ICMP 11, ICMPv6 3; code 0 in transit, 1 in reassembly
	Unreachable           // ICMP 3, ICMPv6 1, with its code
	PacketTooBig          // ICMPv6 2; IPv4's is Unreachable code 4
	ParameterProblem      // ICMP 12, ICMPv6 4
	SynAck                // TCP SYN+ACK
	Reset                 // TCP RST
	UDPAnswer             // a UDP datagram
	GREAnswer             // a GRE packet that is not our keepalive come home
	Decapsulated          // the keepalive of a GRE probe, sent home by a tunnel endpoint
)

// String returns a short lower-case name.
func (k Kind) String() string {
	names := [...]string{"none", "echo-reply", "time-exceeded", "unreachable", "packet-too-big", "parameter-problem", "syn-ack", "reset", "udp-answer", "gre-answer", "decapsulated"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}

// IsError reports whether the kind is an ICMP error, which carries a Quote.
func (k Kind) IsError() bool { return k >= TimeExceeded && k <= ParameterProblem }

// Reply is a parsed packet. Parse overwrites it whole, so one Reply can be
// used for every packet received; nothing in it but Extensions' raw objects
// points into the packet.
type Reply struct {
	Kind     Kind
	Type     Type // of the probes that it can answer, GRE for both GRE types; 0 for an error
	Code     uint8
	IPv6     bool
	From, To netip.Addr
	TTL      uint8 // TTL or hop limit on arrival; 0 when unknown
	TOS      uint8

	SourcePort, TargetPort uint16 // SynAck, Reset, UDPAnswer: as in the received packet
	EchoID                 uint16 // EchoReply
	Sequence               uint32 // EchoReply: sequence; SynAck, Reset: acknowledgement minus one; Decapsulated: the probe's Sequence; UDPAnswer: first two payload bytes
	HasSequence            bool   // Sequence is meaningful (a Reset without ACK and an empty UDPAnswer have none)
	Key                    uint32 // GREAnswer, Decapsulated
	HasKey                 bool
	Tag                    uint64 // EchoReply, Decapsulated
	HasTag                 bool

	MTU     uint32 // PacketTooBig; Unreachable code 4 of IPv4 (RFC 1191), 0 when not given
	Pointer uint32 // ParameterProblem
	Quote   Quote  // of an error
	// Extensions of an error; empty for anything else.
	Extensions Extensions
}

// Quote is the part of our probe that an ICMP error carries home.
type Quote struct {
	Type           Type // by protocol; GRE stands for both GRE types, 0 for a protocol that no probe uses
	Source, Target netip.Addr
	Length         uint32 // of the whole packet, as the quoted IP header gives it
	TTL            uint8  // as quoted, so after the decrements of the path
	TOS            uint8
	IPID           uint16 // IPv4
	FlowLabel      uint32 // IPv6
	Fragment       bool   // not the first fragment: nothing below is set

	SourcePort, TargetPort uint16
	EchoID                 uint16
	Sequence               uint32 // as ProbeID.Sequence: echo sequence, UDP checksum (or its copy in the payload, if quoted), TCP sequence number, inner number of a keepalive
	HasSequence            bool   // false for a GRE quote that ends before the inner number
	Checksum               uint16 // ICMP: of the echo request
	Key                    uint32 // GRE
	HasKey                 bool
	Tag                    uint64 // as ProbeID.Tag (of TCP, its low 32 bits), when the quote is long enough to hold it and it is not 0, as in padding
	HasTag                 bool
}

// MaxMPLS bounds the label stack entries kept of one reply.
const MaxMPLS = 16

// MaxObjects bounds the raw extension objects kept of one reply.
const MaxObjects = 8

// MaxInterfaces bounds the interface objects kept of one reply. RFC 5837
// defines four roles, each of which may occur once.
const MaxInterfaces = 4

// Extensions are the RFC 4884 objects of an ICMP error.
type Extensions struct {
	mpls       [MaxMPLS]MPLS
	interfaces [MaxInterfaces]Interface
	objects    [MaxObjects]Object
	nMPLS      uint8
	nInterface uint8
	nObject    uint8
}

// MPLS is one label stack entry (RFC 4950 section 3, RFC 3032).
type MPLS struct {
	Label  uint32 // 20 bits
	Exp    uint8  // 3 bits, now called traffic class (RFC 5462)
	Bottom bool
	TTL    uint8
}

// Roles of an Interface (RFC 5837 section 4.1).
const (
	RoleIncoming uint8 = iota // that the probe came in by
	RoleSubIP                 // below IP, of the incoming one
	RoleOutgoing              // that the probe would have left by
	RoleNextHop               // of the next node
)

// Interface is one interface information object (RFC 5837 section 4).
type Interface struct {
	Role     uint8 // RoleIncoming to RoleNextHop
	Index    uint32
	HasIndex bool
	Address  netip.Addr // zero when not given
	Name     [63]byte
	NameLen  uint8
	MTU      uint32 // 0 when not given
}

// Object is an extension object that was not interpreted: of another class
// than MPLS and Interface, or malformed. Data is what follows its header, and
// points into the received packet.
type Object struct {
	Class, CType uint8
	Data         []byte
}

// IsInterface reports whether o is an interface information object (RFC 5837),
// and so a malformed one.
func (o *Object) IsInterface() bool { return o.Class == classInterface }

// MPLS returns the label stack, top first. The slice is overwritten by the
// next Parse into the same Reply.
func (e *Extensions) MPLS() []MPLS { return e.mpls[:e.nMPLS] }

// Interfaces returns the interface information objects in the order received.
func (e *Extensions) Interfaces() []Interface { return e.interfaces[:e.nInterface] }

// Objects returns the objects that were not interpreted.
func (e *Extensions) Objects() []Object { return e.objects[:e.nObject] }

// Clone returns a copy of which nothing points into the received packet.
func (e *Extensions) Clone() *Extensions {
	c := &Extensions{nMPLS: e.nMPLS, nInterface: e.nInterface, nObject: e.nObject}
	copy(c.mpls[:], e.MPLS())
	copy(c.interfaces[:], e.Interfaces())
	for i, o := range e.Objects() {
		o.Data = bytes.Clone(o.Data)
		c.objects[i] = o
	}
	return c
}

// Keep drops the interface objects, and the objects that were not interpreted,
// that are not wanted.
func (e *Extensions) Keep(iface func(*Interface) bool, object func(*Object) bool) {
	n := uint8(0)
	for i := range e.Interfaces() {
		if iface(&e.interfaces[i]) {
			e.interfaces[n] = e.interfaces[i]
			n++
		}
	}
	e.nInterface, n = n, 0
	for i := range e.Objects() {
		if object(&e.objects[i]) {
			e.objects[n] = e.objects[i]
			n++
		}
	}
	e.nObject = n
}

// Empty reports whether there is no object of any kind.
func (e *Extensions) Empty() bool { return e.nMPLS|e.nInterface|e.nObject == 0 }
