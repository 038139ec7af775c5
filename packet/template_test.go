package packet

import (
	"bytes"
	stdcmp "cmp"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestBuildGolden: probes are those of testdata/probe.
func TestBuildGolden(t *testing.T) {
	examples := 0
	eachFlow(t, func(t *testing.T, flow Flow) {
		family := "v4"
		if flow.Source.Is6() {
			family = "v6"
		}
		name := flow.Type.String() + "-" + family + ".hex"
		if _, err := os.Stat(filepath.Join("testdata", "probe", name)); err != nil {
			return
		}
		examples++
		if diff := cmp.Diff(readHex(t, "probe", name), build(t, flow, goldenID)); diff != "" {
			t.Errorf("probe (-want +got):\n%s", diff)
		}
	})
	if files, _ := os.ReadDir(filepath.Join("testdata", "probe")); len(files) != examples {
		t.Errorf("%d of %d examples are of a type", examples, len(files))
	}
}

func TestNewTemplateRefuses(t *testing.T) {
	v4, v6 := families[0], families[1]
	tests := []struct {
		name   string
		types  []Type
		spoil  func(*Flow)
		accept []Type // types that do not mind
	}{
		{"no type", allTypes, func(f *Flow) { f.Type = 0 }, nil},
		{"unknown type", allTypes, func(f *Flow) { f.Type = typesEnd }, nil},
		{"no source", allTypes, func(f *Flow) { f.Source = netip.Addr{} }, nil},
		{"no target", allTypes, func(f *Flow) { f.Target = netip.Addr{} }, nil},
		{"unspecified source", allTypes, func(f *Flow) { f.Source = netip.IPv4Unspecified() }, nil},
		{"two families", allTypes, func(f *Flow) { f.Target = v6.target }, nil},
		{"mapped", allTypes, func(f *Flow) { f.Source, f.Target = v6.source, netip.AddrFrom16(v4.target.As16()) }, nil},
		{"zone", allTypes, func(f *Flow) { f.Source, f.Target = v6.source, netip.MustParseAddr("fe80::1%eth0") }, nil},
		{"flow label", allTypes, func(f *Flow) { f.FlowLabel = 1 << 20 }, nil},
		{"source port 0", []Type{UDP, TCP}, func(f *Flow) { f.SourcePort = 0 }, []Type{ICMP, GRE, GREEcho}},
		{"target port 0", []Type{UDP, TCP}, func(f *Flow) { f.TargetPort = 0 }, []Type{ICMP, GRE, GREEcho}},
		{"checksum 0xffff", []Type{ICMP, GREEcho}, func(f *Flow) { f.Checksum = 0xffff }, []Type{UDP, TCP, GRE}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			try := func(typ Type) error {
				flow := flowOf(typ, v4.source, v4.target)
				test.spoil(&flow)
				_, err := NewTemplate(flow)
				return err
			}
			for _, typ := range test.types {
				if try(typ) == nil {
					t.Errorf("%v accepted", typ)
				}
			}
			for _, typ := range test.accept {
				if err := try(typ); err != nil {
					t.Errorf("%v refused: %v", typ, err)
				}
			}
		})
	}
}

// drawID draws any identity that ProbeID's rules allow.
func drawID(t *rapid.T) ProbeID {
	m := ProbeID{
		TTL:  rapid.Uint8Range(1, 255).Draw(t, "ttl"),
		IPID: rapid.Uint16Range(1, 0xffff).Draw(t, "ipid"),
		Tag:  rapid.Uint64Min(1).Draw(t, "tag"),
	}
	// The low half is the UDP checksum, so 1 to 0xfffe.
	m.Sequence = uint32(rapid.Uint16().Draw(t, "high"))<<16 | uint32(rapid.Uint16Range(1, 0xfffe).Draw(t, "low"))
	return m
}

// drawFlow varies what a flow may vary.
func drawFlow(t *rapid.T, flow Flow) Flow {
	flow.SourcePort = rapid.Uint16Min(1).Draw(t, "sourcePort")
	flow.TargetPort = rapid.Uint16Min(1).Draw(t, "targetPort")
	flow.EchoID = rapid.Uint16().Draw(t, "id")
	flow.Checksum = rapid.Uint16Range(0, 0xfffe).Draw(t, "checksum")
	flow.Key = rapid.Uint32().Draw(t, "key")
	flow.FlowLabel = rapid.Uint32Range(0, maxFlowLabel).Draw(t, "label")
	flow.TOS = rapid.Uint8().Draw(t, "tos")
	return flow
}

// TestTemplateFor: a template made from another flow's is the one that gopacket
// would have crafted.
func TestTemplateFor(t *testing.T) {
	eachFlow(t, func(t *testing.T, flow Flow) {
		rapid.Check(t, func(rt *rapid.T) {
			first, other := drawFlow(rt, flow), drawFlow(rt, flow)
			other.TargetPort, other.TOS = first.TargetPort, first.TOS
			if rapid.Bool().Draw(rt, "another uplink") {
				other.Source = other.Source.Next()
			}
			crafted, err := NewTemplate(first)
			if err != nil {
				rt.Fatal(err)
			}
			before := bytes.Clone(crafted.bytes)
			got, err := crafted.For(other)
			if err != nil {
				rt.Fatal(err)
			}
			want, err := NewTemplate(other)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(Template{}), cmp.Comparer(func(a, b *codec) bool { return a == b })); diff != "" {
				rt.Fatalf("template (-crafted +made):\n%s", diff)
			}
			if !bytes.Equal(before, crafted.bytes) {
				rt.Fatal("the first template has changed")
			}
		})
	})
}

// TestBuildMatchesGopacket has gopacket serialise every probe anew, lengths
// and checksums computed by it, from the probe's own payload.
func TestBuildMatchesGopacket(t *testing.T) {
	eachFlow(t, func(t *testing.T, base Flow) {
		rapid.Check(t, func(rt *rapid.T) {
			flow, m := drawFlow(rt, base), drawID(rt)
			got := build(t, flow, m)
			if len(got) != mustTemplate(t, flow).Len(m.TTL) || len(got) > MaxProbeLen {
				rt.Fatalf("%d bytes", len(got))
			}
			if diff := cmp.Diff(writeProbe(t, flow, m, got), got); diff != "" {
				rt.Fatalf("%+v %+v (-gopacket +got):\n%s", flow, m, diff)
			}
		})
	})
}

// TestFlowIsConstant checks that nothing a router may hash differs between
// the probes of a flow: the IP header but for TTL, IPID, length and checksum, and the
// first 4 bytes behind it (ports, or ICMP type, code and checksum); for ICMP
// also the identifier, for GRE also the key and the inner header.
func TestFlowIsConstant(t *testing.T) {
	eachFlow(t, func(t *testing.T, base Flow) {
		rapid.Check(t, func(rt *rapid.T) {
			flow := drawFlow(rt, base)
			hashed := func(m ProbeID) []byte {
				b := build(t, flow, m)
				at := ipv6HeaderLen
				if flow.Source.Is4() {
					at = ipv4HeaderLen
					clear(b[ipv4ID : ipv4ID+2])
					clear(b[ipv4TotalLen : ipv4TotalLen+2])
					b[ipv4TTL] = 0
					clear(b[ipv4Checksum : ipv4Checksum+2])
				} else {
					b[ipv6HopLimit] = 0
				}
				constant := map[Type]int{ICMP: icmpSequence, GRE: 8 + at + keepaliveSequence, GREEcho: 8 + at + icmpSequence}
				return b[:at+stdcmp.Or(constant[flow.Type], 4)]
			}
			first, second := drawID(rt), drawID(rt)
			if diff := cmp.Diff(hashed(first), hashed(second)); diff != "" {
				rt.Fatalf("%+v and %+v differ:\n%s", first, second, diff)
			}
		})
	})
}

// TestProbeLengths: all types have one length, but for GRE's padding, which
// identifies the TTL.
func TestProbeLengths(t *testing.T) {
	direct, encapsulated := map[string]int{"v4": 60, "v6": 80}, map[string]int{"v4": 88, "v6": 128}
	for _, family := range families {
		for _, typ := range allTypes {
			name := typ.String() + "-" + family.name
			template := mustTemplate(t, flowOf(typ, family.source, family.target))
			shortest := direct[family.name]
			if typ.Encapsulated() {
				shortest = encapsulated[family.name]
			}
			for ttl := uint8(1); ttl <= 64; ttl++ {
				length := shortest
				padded := family.source.Is4() && typ.Encapsulated()
				if padded {
					length += int(ttl) - 1
				}
				if got := template.Len(ttl); got != length {
					t.Errorf("%s, TTL %d: %d bytes, want %d", name, ttl, got, length)
				}
				if got, ok := typ.TTLOf(family.source.Is6(), uint32(length)); ok != padded || padded && got != int(ttl) {
					t.Errorf("%s: %d bytes are of TTL %d, %v", name, length, got, ok)
				}
			}
			for _, length := range []int{0, shortest - 1, shortest + 64, 65535} {
				if _, ok := typ.TTLOf(family.source.Is6(), uint32(length)); ok {
					t.Errorf("%s: a probe of %d bytes", name, length)
				}
			}
		}
	}
}

// TestBuildRewritesAll builds over a dirty buffer.
func TestBuildRewritesAll(t *testing.T) {
	eachFlow(t, func(t *testing.T, flow Flow) {
		dirty := bytes.Repeat([]byte{0xa5}, MaxProbeLen+1)
		n := mustTemplate(t, flow).Build(dirty[:0], goldenID)
		if diff := cmp.Diff(build(t, flow, goldenID), dirty[:n]); diff != "" {
			t.Errorf("(-clean +dirty):\n%s", diff)
		}
		if dirty[n] != 0xa5 {
			t.Error("wrote past the probe")
		}
	})
}

func TestBuildAllocatesNothing(t *testing.T) {
	eachFlow(t, func(t *testing.T, flow Flow) {
		template, b := mustTemplate(t, flow), make([]byte, MaxProbeLen)
		m := goldenID
		if n := testing.AllocsPerRun(100, func() { m.Sequence++; template.Build(b, m) }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	for _, family := range families {
		for _, typ := range allTypes {
			b.Run(typ.String()+"-"+family.name, func(b *testing.B) {
				template, dst := mustTemplate(b, flowOf(typ, family.source, family.target)), make([]byte, MaxProbeLen)
				m := goldenID
				b.ReportAllocs()
				for b.Loop() {
					m.Sequence++
					template.Build(dst, m)
				}
			})
		}
	}
}

func BenchmarkNewTemplate(b *testing.B) {
	flow := flowOf(GREEcho, families[1].source, families[1].target)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewTemplate(flow); err != nil {
			b.Fatal(err)
		}
	}
}
