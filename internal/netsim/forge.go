package netsim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"
)

// Forgery is a packet that claims to answer a probe, sent by somebody who saw
// the probe come to a node but got something wrong. It takes the way of the
// node's own answers, and is not one of them: it counts in none of the node's
// occurrences.
type Forgery struct {
	// Occurrence is of the packets that come to the node; all when it picks
	// none.
	Occurrence `yaml:",inline"`
	Protocols  []Protocol  `yaml:"protocols"` // default all
	Kind       ForgeryKind `yaml:"kind"`
	Code       uint8       `yaml:"code"`  // of errors
	Code6      *uint8      `yaml:"code6"` // for IPv6; default Code
	// Flaw is what is wrong with it.
	Flaw Flaw `yaml:"flaw"`
	// From is the sender that it claims; default the node for errors and
	// garbage, the target for a reply.
	From Address `yaml:"from"`
	// After is how much later than the node's own answer it would come.
	After time.Duration `yaml:"after"`
}

// ForgeryKind is what a forgery claims to be.
type ForgeryKind uint8

// The kinds of forgery. A forged reply is what the target would answer: echo
// reply, SYN-ACK, UDP datagram or GRE packet. Garbage is an ICMP error of
// random length up to 255 bytes that is random behind its first 8 bytes.
const (
	ForgedTimeExceeded ForgeryKind = iota + 1
	ForgedUnreachable
	ForgedReply
	Garbage
)

// UnmarshalText reads time-exceeded, unreachable, reply or garbage.
func (k *ForgeryKind) UnmarshalText(text []byte) error {
	return pick(k, text, map[string]ForgeryKind{
		"time-exceeded": ForgedTimeExceeded, "unreachable": ForgedUnreachable, "reply": ForgedReply, "garbage": Garbage,
	})
}

// Flaw is what a forger gets wrong.
type Flaw uint8

// The flaws. WrongProof is wrong in all that only the prober can compute: the
// identification, the flow label, the ICMP and UDP checksums, the TCP sequence
// number and timestamp, half of the GRE key, and the payload. WrongDestination
// quotes the packet as sent to the next address, and WrongPort to the next port
// (of UDP and TCP); a reply comes from there. WrongNumber quotes a probe of the
// same flow that was not sent (ICMP). WrongSum is right in all but the ICMP
// checksum around it.
const (
	WrongProof Flaw = iota
	WrongDestination
	WrongPort
	WrongNumber
	WrongSum
)

// UnmarshalText reads proof, destination, port, number or sum.
func (f *Flaw) UnmarshalText(text []byte) error {
	return pick(f, text, map[string]Flaw{
		"proof": WrongProof, "destination": WrongDestination, "port": WrongPort, "number": WrongNumber, "sum": WrongSum,
	})
}

func (f *Forgery) validate(p *place) {
	f.Occurrence.validate(p, "forge")
	p.must(f.Kind != 0, "no kind")
	p.must(f.After >= 0, "after %v is negative", f.After)
	p.must(f.Flaw != WrongSum || f.Kind == ForgedTimeExceeded || f.Kind == ForgedUnreachable, "flaw sum is of errors")
	f.From.fullIfSet(p.field("from"))
}

// forge sends one forgery for the packet that came to a node.
func (w *walk) forge(s *station, f *Forgery) {
	forged := w.datagram
	forged.bytes = bytes.Clone(w.bytes)
	from := f.From.For(w.ipv6)
	if !from.IsValid() && f.Kind == ForgedReply {
		from = w.probed
	} else if !from.IsValid() {
		from = s.name.For(w.ipv6)
	}
	var packet []byte
	switch f.Kind {
	case ForgedReply:
		packet = w.forgeReply(&forged, f.Flaw, from)
	case Garbage:
		packet = w.garbage(s, from)
	default:
		forged.spoil(f.Flaw)
		packet = w.forgeError(&forged, f.error(w.ipv6), from)
		if f.Flaw == WrongSum {
			packet[len(packet)-len(forged.bytes)-icmpHeader+2] ^= 0x5a
		}
	}
	if packet != nil {
		w.bringHome(w.out+w.home+f.After, packet)
	}
}

func (f *Forgery) error(ipv6 bool) failure {
	code := f.Code
	if ipv6 && f.Code6 != nil {
		code = *f.Code6
	}
	if f.Kind == ForgedUnreachable {
		return unreachable(ipv6, code)
	}
	return timeExceeded(ipv6, code)
}

// forgeError returns an ICMP error that quotes the whole of a packet.
func (w *walk) forgeError(quoted *datagram, f failure, from netip.Addr) []byte {
	protocol := uint8(protoICMP)
	if w.ipv6 {
		protocol = protoICMPv6
	} else {
		sealHeader(quoted.bytes)
	}
	envelope := envelope{source: from, target: w.prober, protocol: protocol, ttl: 64}
	packet, message := newPacket(envelope, icmpHeader+len(quoted.bytes))
	message[0], message[1] = f.kind, f.code
	binary.BigEndian.PutUint32(message[4:], f.rest)
	copy(message[icmpHeader:], quoted.bytes)
	seal(packet, message, protocol)
	return packet
}

// garbage is an ICMP error around nothing.
func (w *walk) garbage(s *station, from netip.Addr) []byte {
	random := w.network.random(s.seed, drawForgery, s.arrivals)
	f := timeExceeded(w.ipv6, 0)
	nothing := datagram{bytes: make([]byte, random()%248)}
	for i := range nothing.bytes {
		nothing.bytes[i] = uint8(random())
	}
	protocol := uint8(protoICMP)
	if w.ipv6 {
		protocol = protoICMPv6
	}
	packet, message := newPacket(envelope{source: from, target: w.prober, protocol: protocol, ttl: 64}, icmpHeader+len(nothing.bytes))
	message[0] = f.kind
	binary.BigEndian.PutUint32(message[4:], uint32(random()))
	copy(message[icmpHeader:], nothing.bytes)
	seal(packet, message, protocol)
	return packet
}

// random returns a source of numbers that hang on nothing but the arguments.
func (n *Network) random(seed uint64, purpose, count int) func() uint64 {
	state := mix(seed ^ uint64(purpose)<<56 ^ uint64(count))
	return func() uint64 {
		state = mix(state)
		return state
	}
}

// spoil gives a quoted packet its flaw.
func (d *datagram) spoil(f Flaw) {
	segment := d.segment()
	switch f {
	case WrongDestination:
		// The checksum stays: it is part of what names the probe.
		at, length := 16, 4
		if d.ipv6 {
			at, length = 24, 16
		}
		copy(d.bytes[at:at+length], d.target().Next().AsSlice())
	case WrongPort:
		if d.kind() == UDP || d.kind() == TCP {
			segment[3]++
		}
	case WrongNumber:
		if d.kind() == ICMP {
			segment[6] ^= 0x80
			flip(segment[8:])
			if !d.ipv6 {
				flip(d.bytes[4:6])
			}
		}
	case WrongProof:
		d.spoilProof(segment)
	}
}

func (d *datagram) spoilProof(segment []byte) {
	if d.ipv6 {
		flip(d.bytes[2:4]) // of the flow label
	} else {
		flip(d.bytes[4:6])
	}
	switch d.kind() {
	case ICMP:
		flip(segment[2:4])
		flip(segment[8:])
	case UDP:
		flip(segment[6:])
	case TCP:
		flip(segment[4:8])
		if len(segment) >= 32 {
			flip(segment[28:32])
		}
	case GRE:
		flip(segment[6:8])
	}
}

func flip(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}
