package packet

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// The cases here are bugs that other tracers, or the libraries they use, are
// known to have had.

// A quoted header may have options: ports are behind all of them.
func TestQuotedIHLIsNotAlways20(t *testing.T) {
	family := families[0]
	for _, typ := range allTypes {
		flow := flowOf(typ, family.source, family.target)
		probe := build(t, flow, goldenID)
		for words := range 11 {
			quote := append(bytes.Clone(probe[:ipv4HeaderLen]), bytes.Repeat([]byte{1}, 4*words)...)
			quote[0] += uint8(words)
			quote = append(quote, probe[ipv4HeaderLen:ipv4HeaderLen+minQuoted]...)
			got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{}, quote))
			if diff := cmp.Diff(quoteOf(flow, goldenID, minQuoted), got.Quote, replyOptions()); diff != "" {
				t.Errorf("%v with %d words of options (-want +got):\n%s", typ, words, diff)
			}
		}
	}
}

// 8 bytes of quoted segment are all that RFC 792 asks for. (gopacket refuses
// to decode 8 bytes of TCP.)
func TestEightQuotedBytesSuffice(t *testing.T) {
	eachFlow(t, func(t *testing.T, flow Flow) {
		headerLen, router := ipv4HeaderLen, families[0].router
		if flow.Source.Is6() {
			headerLen, router = ipv6HeaderLen, families[1].router
		}
		probe := build(t, flow, goldenID)
		got := parseOK(t, timeExceeded(t, router, flow.Source, [4]byte{}, probe[:headerLen+8]))
		want := quoteOf(flow, goldenID, 8)
		if diff := cmp.Diff(want, got.Quote, replyOptions()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if named := want.HasSequence || want.HasKey; !named {
			t.Error("nothing in the quote names the flow")
		}
	})
}

// The bytes 20 00 in a quote are not an extension header.
func TestQuoteIsNotSearchedForMPLS(t *testing.T) {
	family := families[0]
	quote := padded(t, 0, 200)
	for i := 60; i+12 <= len(quote); i += 12 {
		copy(quote[i:], unhex(t, "2000 c819 0008 0101 05dc1101"))
	}
	if got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{}, quote)); !got.Extensions.Empty() {
		t.Errorf("took the quote for extensions: %+v", got.Extensions.MPLS())
	}
}

// A fixed-length quote whose byte 128 happens to look like an extension
// header, without a checksum over the rest, is a quote.
func TestPayloadAt128IsNotAnExtension(t *testing.T) {
	family := families[0]
	quote := append(padded(t, 0, 128), unhex(t, "2000 0000 0008 0101 05dc1101")...)
	if got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{}, quote)); !got.Extensions.Empty() {
		t.Errorf("took the quote for extensions: %+v", got.Extensions.MPLS())
	}
}

// ICMPv6 has a checksum, over a pseudo header; UDP over IPv6 must have one.
func TestIPv6ChecksumsAreFilledIn(t *testing.T) {
	family := families[1]
	addresses := append(family.source.AsSlice(), family.target.AsSlice()...)
	for typ, protocol := range map[Type]uint8{ICMP: protocolICMPv6, UDP: protocolUDP, TCP: protocolTCP, GREEcho: protocolICMPv6} {
		m := goldenID
		m.TTL = 1 // so that nothing follows the inner packet
		b := build(t, flowOf(typ, family.source, family.target), m)
		segment := b[len(b)-segmentLen:]
		if got := fold(sum(segment) + pseudoHeaderSum(addresses, protocol, len(segment))); got != 0xffff {
			t.Errorf("%v: sum %#x", typ, got)
		}
		at := map[Type]int{ICMP: icmpChecksum, UDP: udpChecksum, TCP: tcpChecksum, GREEcho: icmpChecksum}[typ]
		if segment[at] == 0 && segment[at+1] == 0 {
			t.Errorf("%v: checksum 0", typ)
		}
	}
}

// gopacket sends the UDP checksum 0, which means none, where RFC 768 wants
// 0xffff. Ours is the sequence, and never 0, whatever the rest adds up to.
func TestUDPChecksumIsNeverZero(t *testing.T) {
	for _, family := range families {
		template := mustTemplate(t, flowOf(UDP, family.source, family.target))
		b := make([]byte, template.Len(1))
		for sequence := uint32(1); sequence <= 0xfffe; sequence++ {
			template.Build(b, ProbeID{TTL: 1, IPID: 1, Sequence: sequence, Tag: uint64(sequence) * 0x9e3779b97f4a7c15})
			segment := b[len(b)-segmentLen:]
			if got := uint32(segment[udpChecksum])<<8 | uint32(segment[udpChecksum+1]); got != sequence {
				t.Fatalf("checksum %#x, want %#x", got, sequence)
			}
		}
	}
}

// Time exceeded has a code 1, which is no reason to panic.
func TestTimeExceededInReassembly(t *testing.T) {
	b := readHex(t, "reply", "time-exceeded-icmp-v4.hex")
	b[ipv4HeaderLen+icmpCode] = 1
	mendICMPv4(b)
	if got := parseOK(t, b); got.Kind != TimeExceeded || got.Code != 1 || got.Quote.EchoID != 0xbeef {
		t.Errorf("%+v", got)
	}
}

// gopacket panics on GRE headers that promise more than is there; it must
// never see received bytes, and our parser must survive them.
func TestShortGRE(t *testing.T) {
	short := []byte{0xb0, 0, 0x08, 0}
	panicked := func() (p bool) {
		defer func() { p = recover() != nil }()
		_ = new(layers.GRE).DecodeFromBytes(short, gopacket.NilDecodeFeedback)
		return false
	}()
	if !panicked {
		t.Log("gopacket no longer panics on a short GRE header")
	}
	if err := Parse(received(ipPacket(families[0].target, families[0].source, protocolGRE, short)), new(Reply)); err != ErrTruncated {
		t.Errorf("Parse: %v", err)
	}
}

// gopacket's ICMPv6 echo layer drops the payload, with it the tag.
func TestICMPv6EchoPayloadSurvives(t *testing.T) {
	got := parseOK(t, readHex(t, "reply", "echo-reply-v6.hex"))
	if !got.HasTag || got.Tag != goldenID.Tag {
		t.Errorf("tag %#x", got.Tag)
	}
}

// Ports are 16 bits wide and constant: the highest one builds and parses.
func TestHighestPort(t *testing.T) {
	for _, family := range families {
		for _, typ := range []Type{UDP, TCP} {
			flow := flowOf(typ, family.source, family.target)
			flow.SourcePort, flow.TargetPort = 65535, 65535
			for ttl := uint8(1); ttl <= 64; ttl++ {
				m := goldenID
				m.TTL, m.Sequence = ttl, uint32(ttl)
				got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{}, build(t, flow, m)))
				if q := got.Quote; q.SourcePort != 65535 || q.TargetPort != 65535 {
					t.Fatalf("%v TTL %d: ports %d and %d", typ, ttl, q.SourcePort, q.TargetPort)
				}
			}
		}
	}
}
