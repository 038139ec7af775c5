package packet

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestParseDirect covers what is no ICMP error. Segments are laid out by hand
// after the RFC that each names.
func TestParseDirect(t *testing.T) {
	tcp := func(flags string) string { return "0050 9c90 00000001 00000706 50" + flags + " ffff 0000 0000" }
	answer := Reply{SourcePort: 80, TargetPort: 40080, Sequence: 0x705, HasSequence: true}
	kind := func(k Kind, r Reply) Reply { r.Kind = k; return r }
	unnumbered := Reply{Kind: Reset, SourcePort: 80, TargetPort: 40080}
	tests := []struct {
		name     string
		protocol uint8
		segment  string
		want     Reply
		err      error
	}{
		{"SYN-ACK", protocolTCP, tcp("12"), kind(SynAck, answer), nil}, // RFC 9293 section 3.5
		{"SYN-ACK with ECN", protocolTCP, tcp("52"), kind(SynAck, answer), nil},
		{"RST-ACK", protocolTCP, tcp("14"), kind(Reset, answer), nil},
		{"RST", protocolTCP, tcp("04"), unnumbered, nil},
		{"RST wins over SYN-ACK", protocolTCP, tcp("16"), kind(Reset, answer), nil},
		{"SYN", protocolTCP, tcp("02"), Reply{}, ErrForeign},
		{"ACK", protocolTCP, tcp("10"), Reply{}, ErrForeign},
		{"FIN-ACK", protocolTCP, tcp("11"), Reply{}, ErrForeign},
		{"ack of sequence 0xffffffff", protocolTCP, "0050 9c90 00000001 00000000 5012 ffff 0000 0000", Reply{Kind: SynAck, SourcePort: 80, TargetPort: 40080, Sequence: 0xffffffff, HasSequence: true}, nil},
		{"ports 65535", protocolTCP, "ffff ffff 00000001 00000706 5012 ffff 0000 0000", Reply{Kind: SynAck, SourcePort: 65535, TargetPort: 65535, Sequence: 0x705, HasSequence: true}, nil},
		{"TCP short", protocolTCP, tcp("12")[:42], Reply{}, ErrTruncated},
		{"TCP data offset below 5", protocolTCP, "0050 9c90 00000001 00000706 4012 ffff 0000 0000", Reply{}, ErrMalformed},
		{"TCP options cut off", protocolTCP, "0050 9c90 00000001 00000706 6012 ffff 0000 0000", Reply{}, ErrTruncated},

		{"UDP", protocolUDP, "0035 9c90 000c 0000 0705 8180", Reply{Kind: UDPAnswer, SourcePort: 53, TargetPort: 40080, Sequence: 0x705, HasSequence: true}, nil},
		{"UDP empty", protocolUDP, "0035 9c90 0008 0000", Reply{Kind: UDPAnswer, SourcePort: 53, TargetPort: 40080}, nil},
		{"UDP one byte", protocolUDP, "0035 9c90 0009 0000 07", Reply{Kind: UDPAnswer, SourcePort: 53, TargetPort: 40080}, nil},
		{"UDP bytes beyond its length", protocolUDP, "0035 9c90 0008 0000 0705", Reply{Kind: UDPAnswer, SourcePort: 53, TargetPort: 40080}, nil},
		{"UDP length below 8", protocolUDP, "0035 9c90 0007 0000 0705", Reply{}, ErrMalformed},
		{"UDP length beyond the packet", protocolUDP, "0035 9c90 000d 0000 0705 8180", Reply{}, ErrTruncated},
		{"UDP short", protocolUDP, "0035 9c90 0008 00", Reply{}, ErrTruncated},

		{"GRE", protocolGRE, "0000 0800", Reply{Kind: GREAnswer}, nil}, // RFC 2784 section 2
		{"GRE with key", protocolGRE, "2000 0800 c0ffee01", Reply{Kind: GREAnswer, Key: 0xc0ffee01, HasKey: true}, nil},
		{"GRE with checksum and key", protocolGRE, "a000 0800 12340000 c0ffee01", Reply{Kind: GREAnswer, Key: 0xc0ffee01, HasKey: true}, nil},
		{"GRE with key and sequence", protocolGRE, "3000 0800 c0ffee01 00000007", Reply{Kind: GREAnswer, Key: 0xc0ffee01, HasKey: true}, nil},
		{"keepalive without key", protocolGRE, "0000 0000 00000705 1122334455667788", Reply{Kind: GREAnswer}, nil},
		{"keepalive too short for ours", protocolGRE, "2000 0000 c0ffee01 00000705 11223344556677", Reply{Kind: GREAnswer, Key: 0xc0ffee01, HasKey: true}, nil},
		{"keepalive come home", protocolGRE, "2000 0000 c0ffee01 00000705 1122334455667788", Reply{Kind: Decapsulated, Key: 0xc0ffee01, HasKey: true, Sequence: 0x705, HasSequence: true, Tag: goldenID.Tag, HasTag: true}, nil},
		{"GRE short", protocolGRE, "2000 08", Reply{}, ErrTruncated},
		{"GRE key cut off", protocolGRE, "2000 0800 c0ffee", Reply{}, ErrTruncated},
		{"GRE checksum cut off", protocolGRE, "8000 0800 1234", Reply{}, ErrTruncated},
		{"GRE key behind checksum cut off", protocolGRE, "a000 0800 12340000 c0ff", Reply{}, ErrTruncated},
		{"PPTP", protocolGRE, "3001 880b 00040001 00000000", Reply{}, ErrForeign}, // RFC 2637 section 4.1
		{"GRE routing", protocolGRE, "6000 0800 00000000 c0ffee01", Reply{}, ErrForeign},

		{"OSPF", 89, "0201 002c", Reply{}, ErrForeign},
		{"no protocol", 255, "", Reply{}, ErrForeign},
	}
	for _, family := range families {
		for _, test := range tests {
			t.Run(test.name+"/"+family.name, func(t *testing.T) {
				b := ipPacket(family.target, family.source, test.protocol, unhex(t, test.segment))
				var got Reply
				if err := Parse(received(b), &got); err != test.err {
					t.Fatalf("error %v, want %v", err, test.err)
				}
				if test.err != nil {
					return
				}
				want := test.want
				want.Type = answerTypes[want.Kind]
				want.From, want.To, want.TTL, want.IPv6 = family.target, family.source, 61, family.target.Is6()
				if diff := cmp.Diff(want, got, replyOptions()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestKeepaliveHome unwraps a built GRE probe as a tunnel endpoint does.
func TestKeepaliveHome(t *testing.T) {
	for _, family := range families {
		flow := flowOf(GRE, family.source, family.target)
		m := goldenID
		m.TTL = 1 // without padding
		probe := build(t, flow, m)
		inner := probe[len(probe)-segmentLen-ipv4HeaderLen:]
		if family.source.Is6() {
			inner = probe[len(probe)-segmentLen-ipv6HeaderLen:]
		}
		want := Reply{
			Kind: Decapsulated, Type: GRE, IPv6: family.source.Is6(), From: flow.Target, To: flow.Source, TTL: 64, TOS: flow.TOS,
			Key: flow.Key, HasKey: true, Sequence: goldenID.Sequence, HasSequence: true, Tag: goldenID.Tag, HasTag: true,
		}
		if diff := cmp.Diff(want, *parseOK(t, inner), replyOptions()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", family.name, diff)
		}
	}
}

// TestParseIPv4Header walks through what a header may claim.
func TestParseIPv4Header(t *testing.T) {
	good := readHex(t, "reply", "syn-ack-v4.hex")
	options := append(append(bytes.Clone(good[:20]), bytes.Repeat([]byte{1}, 40)...), good[20:]...)
	options[0], options[3] = 0x4f, good[3]+40
	edit := func(at int, value byte) []byte {
		b := bytes.Clone(good)
		b[at] = value
		return b
	}
	tests := []struct {
		name string
		b    []byte
		err  error
	}{
		{"plain", good, nil},
		{"all 40 bytes of options", options, nil},
		{"link-layer padding behind it", append(bytes.Clone(good), make([]byte, 18)...), nil},
		{"first fragment", edit(6, 0x20), nil},
		{"later fragment", edit(7, 0x01), ErrForeign},
		{"version 6", edit(0, 0x65), ErrMalformed},
		{"IHL 4", edit(0, 0x44), ErrMalformed},
		{"IHL beyond the total length", append([]byte{0x4f, 0, 0, 59}, good[4:]...), ErrMalformed},
		{"total length beyond the packet", edit(3, good[3]+1), ErrTruncated},
		{"total length ends in the TCP header", edit(3, 39), ErrTruncated},
		{"19 bytes", good[:19], ErrTruncated},
		{"nothing", nil, ErrTruncated},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r Reply
			if err := Parse(&Incoming{Bytes: test.b}, &r); !errors.Is(err, test.err) {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if test.err == nil && (r.Kind != SynAck || r.Sequence != 0x703) {
				t.Errorf("%+v", r)
			}
		})
	}
}
