package packet

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// TestParseErrors covers every error type and code, marshalled by x/net/icmp.
func TestParseErrors(t *testing.T) {
	v4, v6 := families[0], families[1]
	raw := func(word [4]byte, quote []byte) icmp.MessageBody {
		return &icmp.RawBody{Data: append(word[:], quote...)}
	}
	check := func(t *testing.T, from, to netip.Addr, typ icmp.Type, code int, body icmp.MessageBody, want Reply) {
		t.Helper()
		want.Code, want.From, want.To, want.TTL, want.IPv6 = uint8(code), from, to, 61, from.Is6()
		want.Quote = quoteOf(flowOf(UDP, to, families[boolIndex(from.Is6())].target), goldenID, segmentLen)
		got := parseOK(t, icmpPacket(t, from, to, typ, code, body))
		if diff := cmp.Diff(want, *got, replyOptions()); diff != "" {
			t.Errorf("%v %v code %d (-want +got):\n%s", from, typ, code, diff)
		}
	}
	quote4 := build(t, flowOf(UDP, v4.source, v4.target), goldenID)
	quote6 := build(t, flowOf(UDP, v6.source, v6.target), goldenID)
	for code := range 256 {
		if code != icmpFragmentationNeeded {
			check(t, v4.router, v4.source, ipv4.ICMPTypeDestinationUnreachable, code, &icmp.DstUnreach{Data: quote4}, Reply{Kind: Unreachable})
		}
		check(t, v6.router, v6.source, ipv6.ICMPTypeDestinationUnreachable, code, &icmp.DstUnreach{Data: quote6}, Reply{Kind: Unreachable})
	}
	for code := range 2 {
		check(t, v4.router, v4.source, ipv4.ICMPTypeTimeExceeded, code, &icmp.TimeExceeded{Data: quote4}, Reply{Kind: TimeExceeded})
		check(t, v6.router, v6.source, ipv6.ICMPTypeTimeExceeded, code, &icmp.TimeExceeded{Data: quote6}, Reply{Kind: TimeExceeded})
	}
	check(t, v4.router, v4.source, ipv4.ICMPTypeDestinationUnreachable, 4, raw([4]byte{0, 0, 0x05, 0x78}, quote4), Reply{Kind: Unreachable, MTU: 1400})
	check(t, v4.router, v4.source, ipv4.ICMPTypeDestinationUnreachable, 4, raw([4]byte{}, quote4), Reply{Kind: Unreachable})
	check(t, v4.router, v4.source, ipv4.ICMPTypeParameterProblem, 0, &icmp.ParamProb{Pointer: 20, Data: quote4}, Reply{Kind: ParameterProblem, Pointer: 20})
	check(t, v6.router, v6.source, ipv6.ICMPTypePacketTooBig, 0, &icmp.PacketTooBig{MTU: 0x12345678, Data: quote6}, Reply{Kind: PacketTooBig, MTU: 0x12345678})
	check(t, v6.router, v6.source, ipv6.ICMPTypeParameterProblem, 1, &icmp.ParamProb{Pointer: 0x01020304, Data: quote6}, Reply{Kind: ParameterProblem, Pointer: 0x01020304})
}

func boolIndex(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestParseForeignICMP: messages that no probe causes.
func TestParseForeignICMP(t *testing.T) {
	v4, v6 := families[0], families[1]
	body := &icmp.RawBody{Data: make([]byte, 60)}
	var r Reply
	for typ := range 256 {
		switch typ {
		case icmpEchoReply, icmpUnreachable, icmpTimeExceeded, icmpParameterProblem:
		default:
			if err := Parse(received(icmpPacket(t, v4.router, v4.source, ipv4.ICMPType(typ), 0, body)), &r); err != ErrForeign {
				t.Errorf("ICMP type %d: %v", typ, err)
			}
		}
		switch typ {
		case icmpv6EchoReply, icmpv6Unreachable, icmpv6PacketTooBig, icmpv6TimeExceeded, icmpv6ParameterProblem:
		default:
			if err := Parse(received(icmpPacket(t, v6.router, v6.source, ipv6.ICMPType(typ), 0, body)), &r); err != ErrForeign {
				t.Errorf("ICMPv6 type %d: %v", typ, err)
			}
		}
	}
}

// TestParseQuoteIPv6Chain puts extension headers between the quoted IPv6
// header and the segment (RFC 8200 section 4, RFC 4302 section 2.2).
func TestParseQuoteIPv6Chain(t *testing.T) {
	type header struct {
		protocol uint8
		body     string // with the next header left 00
	}
	hopByHop := header{protocolHopByHop, "0000 0104 00000000"}
	routing := header{protocolRouting, "0002 0401 00000000 20010db8000000000000000000000001"}
	first := header{protocolFragment, "0000 0001 12345678"}
	later := header{protocolFragment, "0000 0008 12345678"}
	options := header{protocolDestOptions, "0000 0104 00000000"}
	auth := header{protocolAH, "0004 0000 00000001 00000002 112233445566778899aabbcc"}
	repeat := func(h header, n int) (all []header) {
		for range n {
			all = append(all, h)
		}
		return all
	}
	tests := []struct {
		name     string
		chain    []header
		cut      int // bytes of the segment that are quoted
		fragment bool
		err      error
	}{
		{"none", nil, 8, false, nil},
		{"hop-by-hop", []header{hopByHop}, 8, false, nil},
		{"routing", []header{routing}, 8, false, nil},
		{"authentication", []header{auth}, 8, false, nil},
		{"first fragment", []header{first}, 8, false, nil},
		{"later fragment", []header{later}, 0, true, nil},
		{"all", []header{hopByHop, options, routing, first, auth, options}, 8, false, nil},
		{"as many as are walked", repeat(options, maxExtensionHeaders), 8, false, nil},
		{"one more", repeat(options, maxExtensionHeaders+1), 40, false, ErrMalformed},
		{"segment too short", []header{hopByHop}, 7, false, ErrTruncated},
		{"header beyond the quote", []header{{protocolHopByHop, "00ff 0104 00000000"}}, 40, false, ErrTruncated},
		{"header cut off", []header{{protocolHopByHop, "0000 0104"}}, 0, false, ErrTruncated},
	}
	family := families[1]
	for _, typ := range allTypes {
		for _, test := range tests {
			t.Run(typ.String()+"/"+test.name, func(t *testing.T) {
				flow := flowOf(typ, family.source, family.target)
				probe := build(t, flow, goldenID)
				quote := bytes.Clone(probe[:ipv6HeaderLen])
				next := ipv6NextHeader
				for _, h := range test.chain {
					quote[next], next = h.protocol, len(quote)
					quote = append(quote, unhex(t, h.body)...)
				}
				quote[next] = probe[ipv6NextHeader]
				quote = append(quote, probe[ipv6HeaderLen:ipv6HeaderLen+test.cut]...)
				var r Reply
				if err := Parse(received(timeExceeded(t, family.router, family.source, [4]byte{}, quote)), &r); err != test.err {
					t.Fatalf("error %v, want %v", err, test.err)
				}
				want := quoteOf(flow, goldenID, test.cut)
				if test.fragment {
					want = Quote{Type: want.Type, Source: want.Source, Target: want.Target, TTL: want.TTL, TOS: want.TOS, FlowLabel: want.FlowLabel, Fragment: true}
				}
				if diff := cmp.Diff(want, r.Quote, replyOptions()); test.err == nil && diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestParseQuoteIPv6Odd are IPv6 quotes that are not simply a probe of ours.
func TestParseQuoteIPv6Odd(t *testing.T) {
	family := families[1]
	base := Quote{Source: family.source, Target: family.target, TTL: 61}
	fragment := base
	fragment.Fragment = true
	wrongVersion := ipPacket(family.source, family.target, protocolUDP, make([]byte, segmentLen))
	wrongVersion[0] = 0x45
	tests := []struct {
		name  string
		quote []byte
		want  Quote
		err   error
	}{
		{"header cut off", wrongVersion[:ipv6HeaderLen-1], Quote{}, ErrTruncated},
		{"IPv4 in ICMPv6", wrongVersion, Quote{}, ErrMalformed},
		{"no next header", ipPacket(family.source, family.target, 59, nil), base, nil},
		{"ICMP in IPv6", ipPacket(family.source, family.target, protocolICMP, unhex(t, "0800 1234 beef 0705")), base, nil},
		{"echo reply", ipPacket(family.source, family.target, protocolICMPv6, unhex(t, "8100 1234 beef 0705")), Quote{}, ErrForeign},
		{"ICMP echo request in ICMPv6", ipPacket(family.source, family.target, protocolICMPv6, unhex(t, "0800 1234 beef 0705")), Quote{}, ErrForeign},
		// What follows its header is from the middle of the chain.
		{"later fragment of a chain", ipPacket(family.source, family.target, protocolFragment, unhex(t, "3c00 0008 12345678 11ff 0000")), fragment, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r Reply
			err := Parse(received(timeExceeded(t, family.router, family.source, [4]byte{}, test.quote)), &r)
			if err != test.err {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, r.Quote, replyOptions()); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseQuoteOdd are IPv4 quotes that are not simply a probe of ours.
func TestParseQuoteOdd(t *testing.T) {
	family := families[0]
	quoteIPv4 := func(protocol uint8, segment string) []byte {
		return ipPacket(family.source, family.target, protocol, unhex(t, segment))
	}
	edit := func(b []byte, at int, value byte) []byte { b[at] = value; return b }
	base := Quote{Source: family.source, Target: family.target, TTL: 61}
	with := func(change func(*Quote)) Quote { q := base; change(&q); return q }
	zeros := "00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000"
	tests := []struct {
		name  string
		quote []byte
		want  Quote
		err   error
	}{
		{"no bytes", nil, Quote{}, ErrTruncated},
		{"header cut off", quoteIPv4(17, "")[:19], Quote{}, ErrTruncated},
		{"options cut off", edit(quoteIPv4(17, "9c90 829a 0028 0705"), 0, 0x48), Quote{}, ErrTruncated},
		{"IHL 4", edit(quoteIPv4(17, "9c90 829a 0028 0705"), 0, 0x44), Quote{}, ErrMalformed},
		{"IPv6 in ICMPv4", edit(quoteIPv4(17, zeros), 0, 0x65), Quote{}, ErrMalformed},
		{"7 bytes", quoteIPv4(17, "9c90 829a 0028 07"), Quote{}, ErrTruncated},
		{"a protocol of no probe", quoteIPv4(50, ""), base, nil},
		{"ICMPv6 in IPv4", quoteIPv4(58, "8000 1234 beef 0705"), base, nil},
		{"echo reply", quoteIPv4(1, "0000 1234 beef 0705"), Quote{}, ErrForeign},
		{"ICMPv6 echo request in ICMP", quoteIPv4(1, "8000 1234 beef 0705"), Quote{}, ErrForeign},
		{"later fragment", edit(quoteIPv4(17, ""), 7, 1), with(func(q *Quote) { q.Type, q.Fragment = UDP, true }), nil},
		{"UDP padded with zeros", quoteIPv4(17, "9c90 829a 0028 0705"+zeros), with(func(q *Quote) {
			q.Type, q.SourcePort, q.TargetPort, q.Sequence, q.HasSequence = UDP, 40080, 33434, 0x705, true
		}), nil},
		{"UDP checksum rewritten on the way", quoteIPv4(17, "9c90 829a 0028 9999 0705 1122334455667788"), with(func(q *Quote) {
			q.Type, q.SourcePort, q.TargetPort, q.Sequence, q.HasSequence, q.Tag, q.HasTag = UDP, 40080, 33434, 0x705, true, goldenID.Tag, true
		}), nil},
		{"echo padded with zeros", quoteIPv4(1, "0800 1234 beef 0705"+zeros), with(func(q *Quote) {
			q.Type, q.Checksum, q.EchoID, q.Sequence, q.HasSequence = ICMP, 0x1234, 0xbeef, 0x705, true
		}), nil},
		{"GRE padded with zeros", quoteIPv4(47, "2000 0800 c0ffee01"+zeros+zeros), with(func(q *Quote) { q.Type, q.Key, q.HasKey = GRE, 0xc0ffee01, true }), nil},
		{"keepalive padded with zeros", quoteIPv4(47, "2000 0800 c0ffee01 4500003c 00004000 402f0000 cb007102 c0000201 20000000 c0ffee01"+zeros), with(func(q *Quote) { q.Type, q.Key, q.HasKey = GRE, 0xc0ffee01, true }), nil},
		{"GRE without key", quoteIPv4(47, "0000 0800 c0ffee01"), with(func(q *Quote) { q.Type = GRE }), nil},
		{"GRE with checksum", quoteIPv4(47, "a000 0800 12340000 c0ffee01"), with(func(q *Quote) { q.Type = GRE }), nil},
		{"PPTP", quoteIPv4(47, "2001 880b 00040001"), with(func(q *Quote) { q.Type = GRE }), nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var r Reply
			err := Parse(received(timeExceeded(t, family.router, family.source, [4]byte{}, test.quote)), &r)
			if err != test.err {
				t.Fatalf("error %v, want %v", err, test.err)
			}
			if diff := cmp.Diff(test.want, r.Quote, replyOptions()); err == nil && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseICMPv4Checksum flips every bit of a message.
func TestParseICMPv4Checksum(t *testing.T) {
	for _, file := range []string{"time-exceeded-icmp-v4.hex", "echo-reply-v4.hex"} {
		b := readHex(t, "reply", file)
		for i := ipv4HeaderLen + 1; i < len(b); i++ { // the first byte is the type
			for bit := range 8 {
				b[i] ^= 1 << bit
				if err := Parse(received(b), new(Reply)); err != ErrMalformed {
					t.Errorf("%s with bit %d of byte %d flipped: %v", file, bit, i, err)
				}
				b[i] ^= 1 << bit
			}
		}
	}
}
