package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// quoteOf is what an error that quotes n bytes behind the IP header of a
// probe must yield.
func quoteOf(flow Flow, m ProbeID, n int) Quote {
	q := Quote{Type: flow.Type, Source: flow.Source, Target: flow.Target, TTL: m.TTL, TOS: flow.TOS}
	if flow.Source.Is4() {
		q.IPID = m.IPID
	} else {
		q.FlowLabel = flow.FlowLabel
	}
	o := oracles[flow.Type]
	if flow.Type == GRE || flow.Type == GREEcho {
		q.Type, q.Key, q.HasKey = GRE, flow.Key, true
		n -= greHeaderLen + ipv4HeaderLen
		if flow.Source.Is6() {
			n -= ipv6HeaderLen - ipv4HeaderLen
		}
	}
	if n >= o.tagAt+o.tagBits/8 {
		q.Tag, q.HasTag = m.Tag&(1<<o.tagBits-1), true
	}
	switch flow.Type.Numbering() {
	case ByOrder:
		if n >= icmpHeaderLen {
			q.EchoID, q.Checksum = flow.EchoID, flow.Checksum
			q.Sequence, q.HasSequence = uint32(uint16(m.Sequence)), true
		}
	case ByChecksum:
		q.SourcePort, q.TargetPort = flow.SourcePort, flow.TargetPort
		q.Sequence, q.HasSequence = uint32(uint16(m.Sequence)), true
	case BySYN:
		q.SourcePort, q.TargetPort = flow.SourcePort, flow.TargetPort
		q.Sequence, q.HasSequence = m.Sequence, true
	case ByTTL:
		if q.HasTag {
			q.Sequence, q.HasSequence = m.Sequence, true
		}
	}
	return q
}

// arrive is a probe as the router saw it that quotes n bytes behind the IP
// header.
func arrive(probe []byte, ttl uint8, n int) []byte {
	probe = bytes.Clone(probe)
	if probe[0]>>4 == 4 {
		probe[ipv4TTL] = ttl
		clear(probe[ipv4Checksum : ipv4Checksum+2])
		binary.BigEndian.PutUint16(probe[ipv4Checksum:], ^fold(sum(probe[:ipv4HeaderLen])))
		return probe[:ipv4HeaderLen+n]
	}
	probe[ipv6HopLimit] = ttl
	return probe[:ipv6HeaderLen+n]
}

// TestRoundTrip builds any probe, lets a router quote any part of it, and
// parses what names the probe back.
func TestRoundTrip(t *testing.T) {
	eachFlow(t, func(t *testing.T, base Flow) {
		router := families[0].router
		if base.Source.Is6() {
			router = families[1].router
		}
		r := new(Reply) // one for all: Parse must overwrite it
		rapid.Check(t, func(rt *rapid.T) {
			flow, m := drawFlow(rt, base), drawID(rt)
			probe := build(t, flow, m)
			headerLen := ipv4HeaderLen
			if flow.Source.Is6() {
				headerLen = ipv6HeaderLen
			}
			n := rapid.IntRange(minQuoted, len(probe)-headerLen).Draw(rt, "quoted")
			seen := m
			seen.TTL = rapid.Uint8Range(0, m.TTL).Draw(rt, "quotedTTL")
			b := timeExceeded(t, router, flow.Source, [4]byte{}, arrive(probe, seen.TTL, n))
			if err := Parse(received(b), r); err != nil {
				rt.Fatalf("%d quoted: %v", n, err)
			}
			want := Reply{Kind: TimeExceeded, IPv6: flow.Source.Is6(), From: router, To: flow.Source, TTL: 61, Quote: quoteOf(flow, seen, n)}
			if diff := cmp.Diff(want, *r, replyOptions()); diff != "" {
				rt.Fatalf("%d quoted (-want +got):\n%s", n, diff)
			}
			if int(r.Quote.Length) != len(probe) {
				rt.Fatalf("quoted length %d of a probe of %d bytes", r.Quote.Length, len(probe))
			}
		})
	})
}

// TestParseKernelReplies reads what Linux routers and hosts really answer.
func TestParseKernelReplies(t *testing.T) {
	// The probes were flows of the fixture but for their ports, TOS and
	// marks; see testdata/reply.
	captured := func(family int, typ Type, hop uint32, n int) Quote {
		flow := flowOf(typ, families[family].source, families[family].target)
		flow.TOS, flow.TargetPort = 0, 80
		m := ProbeID{TTL: 1, IPID: 0x4000 + uint16(hop), Sequence: 0x700 + hop, Tag: goldenID.Tag}
		if typ == TCP {
			m.Tag = 0x9c900050
		}
		return quoteOf(flow, m, n)
	}
	router := [][]netip.Addr{
		{netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("198.51.100.2")},
		{netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:1::2")},
	}
	fromTarget := func(family int, r Reply) Reply {
		r.From, r.To, r.IPv6, r.TTL = families[family].target, families[family].source, family == 1, 62
		r.Type = answerTypes[r.Kind]
		return r
	}
	fromRouter := func(family, hop int, kind Kind, q Quote) Reply {
		r := Reply{Kind: kind, From: router[family][hop-1], To: families[family].source, IPv6: family == 1, TTL: uint8(65 - hop), Quote: q}
		if family == 0 {
			r.TOS = 0xc0 // Linux sends ICMPv4 errors as internetwork control
		}
		return r
	}
	control := func(r Reply) Reply { r.TOS = 0xc0; return r }
	tests := map[string]Reply{
		"time-exceeded-icmp-v4":     fromRouter(0, 2, TimeExceeded, captured(0, ICMP, 2, 40)),
		"time-exceeded-icmp-v6":     fromRouter(1, 2, TimeExceeded, captured(1, ICMP, 2, 40)),
		"time-exceeded-udp-v4":      fromRouter(0, 1, TimeExceeded, captured(0, UDP, 1, 40)),
		"time-exceeded-udp-v6":      fromRouter(1, 1, TimeExceeded, captured(1, UDP, 1, 40)),
		"time-exceeded-tcp-v4":      fromRouter(0, 1, TimeExceeded, captured(0, TCP, 1, 40)),
		"time-exceeded-tcp-v6":      fromRouter(1, 1, TimeExceeded, captured(1, TCP, 1, 40)),
		"time-exceeded-gre-v4":      fromRouter(0, 1, TimeExceeded, captured(0, GRE, 1, 68)),
		"time-exceeded-gre-v6":      fromRouter(1, 1, TimeExceeded, captured(1, GRE, 1, 88)),
		"time-exceeded-gre-echo-v4": fromRouter(0, 1, TimeExceeded, captured(0, GREEcho, 1, 68)),
		"time-exceeded-gre-echo-v6": fromRouter(1, 1, TimeExceeded, captured(1, GREEcho, 1, 88)),
		"echo-reply-v4":             fromTarget(0, Reply{Kind: EchoReply, EchoID: 0xbeef, Sequence: 0x703, HasSequence: true, Tag: goldenID.Tag, HasTag: true}),
		"echo-reply-v6":             fromTarget(1, Reply{Kind: EchoReply, EchoID: 0xbeef, Sequence: 0x703, HasSequence: true, Tag: goldenID.Tag, HasTag: true}),
		"port-unreachable-v4":       control(fromTarget(0, Reply{Kind: Unreachable, Code: 3, Quote: captured(0, UDP, 3, 40)})),
		"port-unreachable-v6":       fromTarget(1, Reply{Kind: Unreachable, Code: 4, Quote: captured(1, UDP, 3, 40)}),
		"protocol-unreachable-v4":   control(fromTarget(0, Reply{Kind: Unreachable, Code: 2, Quote: captured(0, GRE, 3, 68)})),
		"unknown-next-header-v6":    fromTarget(1, Reply{Kind: ParameterProblem, Code: 1, Pointer: 6, Quote: captured(1, GRE, 3, 88)}),
		"syn-ack-v4":                fromTarget(0, Reply{Kind: SynAck, SourcePort: 80, TargetPort: 40080, Sequence: 0x703, HasSequence: true}),
		"syn-ack-v6":                fromTarget(1, Reply{Kind: SynAck, SourcePort: 80, TargetPort: 40080, Sequence: 0x703, HasSequence: true}),
		"reset-v4":                  fromTarget(0, Reply{Kind: Reset, SourcePort: 81, TargetPort: 40081, Sequence: 0x703, HasSequence: true}),
		"reset-v6":                  fromTarget(1, Reply{Kind: Reset, SourcePort: 81, TargetPort: 40081, Sequence: 0x703, HasSequence: true}),
		"udp-answer-v4":             fromTarget(0, Reply{Kind: UDPAnswer, SourcePort: 7, TargetPort: 40007, Sequence: 0x703, HasSequence: true}),
		"udp-answer-v6":             fromTarget(1, Reply{Kind: UDPAnswer, SourcePort: 7, TargetPort: 40007, Sequence: 0x703, HasSequence: true}),
	}
	foreign := func(kind Kind, family int, code uint8, mtu uint32) Reply {
		r := fromRouter(family, 1, kind, Quote{})
		r.Code, r.MTU = code, mtu
		return r
	}
	// Quotes of traceroute(8)'s own probes are not looked at.
	quoteless := map[string]Reply{
		"fragmentation-needed-v4": foreign(Unreachable, 0, 4, 1400),
		"packet-too-big-v6":       foreign(PacketTooBig, 1, 0, 1400),
		"host-unreachable-v4":     foreign(Unreachable, 0, 1, 0),
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, *parseOK(t, readHex(t, "reply", name+".hex")), replyOptions()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for name, want := range quoteless {
		t.Run(name, func(t *testing.T) {
			got := *parseOK(t, readHex(t, "reply", name+".hex"))
			if q := got.Quote; q.Source != got.To || !q.HasTag {
				t.Errorf("quote %+v", q)
			}
			got.Quote = Quote{}
			if diff := cmp.Diff(want, got, replyOptions()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseOverwritesWhole parses into a Reply of which every field is set.
// A field that reset forgets shows here.
func TestParseOverwritesWhole(t *testing.T) {
	dirty := new(Reply)
	for _, file := range []string{"echo-reply-v4", "syn-ack-v6", "udp-answer-v4", "time-exceeded-icmp-v4", "packet-too-big-v6", "unknown-next-header-v6", "time-exceeded-gre-v4"} {
		b := readHex(t, "reply", file+".hex")
		want := parseOK(t, b)
		spoil(t, reflect.ValueOf(dirty).Elem())
		dirty.Extensions = Extensions{nMPLS: MaxMPLS, nInterface: MaxInterfaces, nObject: MaxObjects}
		if err := Parse(received(b), dirty); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, dirty, replyOptions()); diff != "" {
			t.Errorf("%s (-fresh +reused):\n%s", file, diff)
		}
	}
}

// spoil sets every exported field to something.
func spoil(t *testing.T, v reflect.Value) {
	t.Helper()
	for _, field := range v.Fields() {
		switch {
		case field.Type() == reflect.TypeFor[Extensions]():
		case field.Type() == reflect.TypeFor[netip.Addr]():
			field.Set(reflect.ValueOf(families[1].router))
		case field.Kind() == reflect.Struct:
			spoil(t, field)
		case field.Kind() == reflect.Bool:
			field.SetBool(true)
		case field.CanUint():
			field.SetUint(0x5a)
		default:
			t.Fatalf("no way to spoil a %v", field.Type())
		}
	}
}

func TestKindNames(t *testing.T) {
	seen := make(map[string]Kind)
	for k := range Decapsulated + 2 {
		if other, ok := seen[k.String()]; ok {
			t.Errorf("kinds %d and %d are both called %v", other, k, k)
		}
		seen[k.String()] = k
	}
	if last := Decapsulated + 1; last.String() != "unknown" {
		t.Errorf("kind %d is called %v", last, last)
	}
}

func TestParseFailureLeavesNoKind(t *testing.T) {
	r := &Reply{Kind: SynAck}
	b := readHex(t, "reply", "time-exceeded-icmp-v4.hex")
	b[len(b)-1] ^= 1
	if err := Parse(received(b), r); !errors.Is(err, ErrMalformed) || r.Kind != 0 {
		t.Errorf("%v, kind %v", err, r.Kind)
	}
}

func TestParseAllocatesNothing(t *testing.T) {
	for name, b := range seeds(t) {
		in, r := received(b), new(Reply)
		if n := testing.AllocsPerRun(100, func() { _ = Parse(in, r) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, name := range []string{"time-exceeded-udp-v4", "time-exceeded-udp-v6", "time-exceeded-gre-echo-v4", "echo-reply-v4", "syn-ack-v4"} {
		benchmarkParse(b, name, readHex(b, "reply", name+".hex"))
	}
	benchmarkParse(b, "mpls-v4", seeds(b)["rfc4884-mpls-v4"])
}

func benchmarkParse(b *testing.B, name string, packet []byte) {
	b.Run(name, func(b *testing.B) {
		in, r := received(packet), new(Reply)
		b.ReportAllocs()
		for b.Loop() {
			if err := Parse(in, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
