package packet

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"pgregory.net/rapid"
)

// mplsStructure is laid out after RFC 4884 section 7 and RFC 4950 section 3:
// version 2, checksum, one object of class 1 and c-type 1 with label 24001,
// bottom of stack, TTL 1.
const mplsStructure = "2000 c819 0008 0101 05dc1101"

var mplsEntry = MPLS{Label: 24001, Bottom: true, TTL: 1}

// structure is an extension structure with a checksum around objects.
func structure(objects ...byte) []byte {
	b := append([]byte{0x20, 0, 0, 0}, objects...)
	binary.BigEndian.PutUint16(b[2:], ^fold(sum(b)))
	return b
}

// object is an extension object with the length that its body asks for.
func object(class, cType uint8, body ...byte) []byte {
	length := binary.BigEndian.AppendUint16(nil, uint16(objectHeaderLen+len(body)))
	return append(append(length, class, cType), body...)
}

func nameField(name string) (f [63]byte) { copy(f[:], name); return f }

// padded is a quoted UDP probe of a family, zero-padded to n bytes.
func padded(t testing.TB, family, n int) []byte {
	t.Helper()
	b := build(t, flowOf(UDP, families[family].source, families[family].target), goldenID)
	return append(b, make([]byte, n-len(b))...)
}

// TestExtensionCases are the cases of RFC 4884 sections 4 and 5.
func TestExtensionCases(t *testing.T) {
	mpls := unhex(t, mplsStructure)
	unsummed := unhex(t, "2000 0000 0008 0101 05dc1101")
	wrongSum := unhex(t, "2000 c818 0008 0101 05dc1101")
	version1 := unhex(t, "1000 d819 0008 0101 05dc1101")
	trailing := structure(append(unhex(t, "0008 0101 05dc1101"), 0, 0, 0, 0)...)
	entry := []MPLS{mplsEntry}
	tests := []struct {
		name   string
		length int // of the length field, in bytes
		quote  int // length of the quote, padding included
		after  []byte
		want   []MPLS
	}{
		{"length field", 128, 128, mpls, entry},
		{"length field, longer quote", 136, 136, mpls, entry},
		{"length field, no checksum", 128, 128, unsummed, entry},
		{"length field, wrong checksum", 128, 128, wrongSum, nil},
		{"length field, version 1", 128, 128, version1, nil},
		{"length field, nothing behind", 128, 128, nil, nil},
		{"length field, header only", 128, 128, structure(), nil},
		{"length field, padding behind the objects", 128, 128, trailing, entry},
		{"length field, no checksum, padding behind the objects", 128, 128, append(bytes.Clone(unsummed), 0, 0, 0, 0), nil},
		{"length field beyond the message", 256, 128, nil, nil},
		{"length field beyond the message, structure at 128", 256, 128, mpls, entry},
		{"length field beyond the message, structure at 128, no checksum", 256, 128, unsummed, nil},
		{"length field beyond the message, structure not at 128", 256, 136, mpls, nil},
		{"length field beyond the structure at 128", 136, 128, mpls, entry},
		{"length field within what follows the structure at 128", 136, 128, trailing, entry},
		{"length field without padding", 96, 96, mpls, entry},
		{"length field without padding, no checksum", 96, 96, unsummed, nil},
		{"length of the quote without its padding", 80, 128, mpls, entry},
		{"length of the quote without its padding, no checksum", 80, 128, unsummed, nil},
		{"length of the quote without its padding, wrong checksum", 80, 128, wrongSum, nil},
		{"meaningless length field", 8, 120, nil, nil},
		{"meaningless length field, structure at 128", 8, 128, mpls, entry},
		{"no length field", 0, 128, mpls, entry},
		{"no length field, no checksum", 0, 128, unsummed, nil},
		{"no length field, wrong checksum", 0, 128, wrongSum, nil},
		{"no length field, version 1", 0, 128, version1, nil},
		{"no length field, header only", 0, 128, structure(), nil},
		{"no length field, not at 128", 0, 136, mpls, nil},
		{"no extension", 0, 88, nil, nil},
	}
	for i, family := range families {
		for _, test := range tests {
			t.Run(test.name+"/"+family.name, func(t *testing.T) {
				word := [4]byte{1: uint8(test.length / 4)}
				if family.router.Is6() {
					word = [4]byte{0: uint8(test.length / 8)}
				}
				got := parseOK(t, timeExceeded(t, family.router, family.source, word, padded(t, i, test.quote), test.after...))
				want := Reply{
					Kind: TimeExceeded, IPv6: family.router.Is6(), From: family.router, To: family.source, TTL: 61,
					Quote: quoteOf(flowOf(UDP, family.source, family.target), goldenID, segmentLen),
				}
				want.Extensions.nMPLS = uint8(copy(want.Extensions.mpls[:], test.want))
				if diff := cmp.Diff(want, *got, replyOptions()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if got.Extensions.Empty() != (test.want == nil) {
					t.Errorf("Empty() = %v", got.Extensions.Empty())
				}
			})
		}
	}
}

// TestExtensionForms reads the forms that field testing found; testdata/extension
// describes each.
func TestExtensionForms(t *testing.T) {
	stack := extensionsView{MPLS: []MPLS{mplsEntry}}
	malformed := extensionsView{MPLS: stack.MPLS, Objects: []Object{
		{Class: 2, CType: 0x04, Data: []byte{0, 3, 0, 0, 0x49, 0, 1, 1}}, {Class: 2, CType: 0x02, Data: []byte("\x05eth0")},
	}}
	for name, objects := range map[string]extensionsView{"length-of-quote": stack, "length-in-bytes": stack, "unknown-family": malformed} {
		for _, family := range families {
			got := parseOK(t, readHex(t, "extension", name+"-"+family.name+".hex"))
			mark := goldenID
			mark.TTL = 1
			want := quoteOf(flowOf(UDP, family.source, family.target), mark, segmentLen)
			if diff := cmp.Diff(want, got.Quote, replyOptions()); diff != "" {
				t.Errorf("%s, %s: quote (-want +got):\n%s", name, family.name, diff)
			}
			e := &got.Extensions
			if diff := cmp.Diff(objects, extensionsView{e.MPLS(), e.Interfaces(), e.Objects()}, replyOptions()); diff != "" {
				t.Errorf("%s, %s (-want +got):\n%s", name, family.name, diff)
			}
		}
	}
}

// TestLengthFieldBoundsQuote has quotes end within the segment, so that the
// structure behind them lies where more of the segment would be.
func TestLengthFieldBoundsQuote(t *testing.T) {
	family := families[1]
	flow := flowOf(UDP, family.source, family.target)
	probe := build(t, flow, goldenID)
	quote := append(bytes.Clone(probe[:ipv6HeaderLen]), protocolUDP, 9, 1, 76)
	quote = append(append(quote, make([]byte, 76)...), probe[ipv6HeaderLen:ipv6HeaderLen+8]...)
	quote[ipv6NextHeader] = protocolHopByHop
	after := structure(object(1, 1, bytes.Repeat([]byte{0x05, 0xdc, 0x11, 0x01}, 4)...)...)
	got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{0: 128 / 8}, quote, after...))
	if diff := cmp.Diff(quoteOf(flow, goldenID, 8), got.Quote, replyOptions()); diff != "" || len(got.Extensions.MPLS()) != 4 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	family = families[0]
	b := timeExceeded(t, family.router, family.source, [4]byte{1: 24 / 4}, padded(t, 0, 60)[:24], after...)
	if err := Parse(received(b), new(Reply)); err != ErrTruncated {
		t.Errorf("4 quoted bytes, then a structure: %v", err)
	}
}

// TestExtensionObjects covers each kind of object and what may be wrong in it.
// A malformed object is kept as it is, and those beside it are read.
func TestExtensionObjects(t *testing.T) {
	mpls := object(1, 1, 0x05, 0xdc, 0x11, 0x01)
	name := func(s string) []byte { return append([]byte{uint8(1 + len(s))}, s...) }
	eth0 := name("eth0\x00\x00\x00")
	address4 := []byte{0, 1, 0, 0, 192, 0, 2, 7}
	address6 := append([]byte{0, 2, 0, 0}, families[1].router.AsSlice()...)
	all := slices.Concat([]byte{0, 0, 0, 7}, address4, eth0, []byte{0, 0, 5, 0xdc})
	a4, a6 := netip.MustParseAddr("192.0.2.7"), families[1].router
	one := func(i Interface) extensionsView { return extensionsView{Interfaces: []Interface{i}} }
	stack := extensionsView{MPLS: []MPLS{mplsEntry}}
	raw := func(objects ...Object) extensionsView { return extensionsView{Objects: objects} }
	bad := func(cType uint8, data ...byte) extensionsView {
		return extensionsView{MPLS: stack.MPLS, Objects: []Object{{Class: 2, CType: cType, Data: data}}}
	}
	tests := []struct {
		name    string
		objects []byte
		want    extensionsView
	}{
		{"stack of two", object(1, 1, 0x05, 0xdc, 0x1e, 0x01, 0xff, 0xff, 0xf1, 0xff), extensionsView{MPLS: []MPLS{{Label: 24001, Exp: 7, TTL: 1}, {Label: 0xfffff, Bottom: true, TTL: 255}}}},
		{"MPLS of another c-type", object(1, 2, 9), extensionsView{Objects: []Object{{Class: 1, CType: 2, Data: []byte{9}}}}},
		{"unknown class", object(3, 2, 0, 0, 0, 9), extensionsView{Objects: []Object{{Class: 3, CType: 2, Data: []byte{0, 0, 0, 9}}}}},
		{"empty object", object(200, 0), extensionsView{Objects: []Object{{Class: 200, Data: []byte{}}}}},
		{"several", slices.Concat(object(9, 9), mpls, object(2, 0x08, 0, 0, 0, 7)), extensionsView{MPLS: []MPLS{mplsEntry}, Interfaces: []Interface{{Index: 7, HasIndex: true}}, Objects: []Object{{Class: 9, CType: 9}}}},
		{"interface with everything", object(2, 0x8f, all...), one(Interface{Role: 2, Index: 7, HasIndex: true, Address: a4, Name: nameField("eth0"), NameLen: 4, MTU: 1500})},
		{"interface with nothing", object(2, 0xc0), one(Interface{Role: 3})},
		{"interface by IPv6 address", object(2, 0x44, address6...), one(Interface{Role: 1, Address: a6})},
		{"interface by longest name", object(2, 0x02, name(strings.Repeat("n", 63))...), one(Interface{Name: nameField(strings.Repeat("n", 63)), NameLen: 63})},
		{"interface MTU", object(2, 0x01, 0, 0, 5, 0xdc), one(Interface{MTU: 1500})},
		{"reserved bits are ignored", object(2, 0x38, 0, 0, 0, 7), one(Interface{Index: 7, HasIndex: true})},

		{"MPLS entry cut off", append(object(9, 9), object(1, 1, 0x05, 0xdc, 0x11)...), raw(Object{Class: 9, CType: 9}, Object{Class: 1, CType: 1, Data: []byte{0x05, 0xdc, 0x11}})},
		{"index cut off", append(mpls, object(2, 0x08, 0, 0, 7)...), bad(0x08, 0, 0, 7)},
		{"address family cut off", append(mpls, object(2, 0x04, 0, 1)...), bad(0x04, 0, 1)},
		{"IPv4 address cut off", append(mpls, object(2, 0x04, address4[:7]...)...), bad(0x04, address4[:7]...)},
		{"IPv6 address cut off", append(mpls, object(2, 0x04, address6[:19]...)...), bad(0x04, address6[:19]...)},
		{"address of unknown family", append(object(2, 0x04, 0, 3, 0, 0, 1, 2, 3, 4), mpls...), bad(0x04, 0, 3, 0, 0, 1, 2, 3, 4)},
		{"name missing", append(mpls, object(2, 0x02)...), bad(0x02)},
		{"name of length 0", append(mpls, object(2, 0x02, 0, 0, 0, 0)...), bad(0x02, 0, 0, 0, 0)},
		{"name not of whole words", append(object(2, 0x02, name("eth0")...), mpls...), bad(0x02, name("eth0")...)},
		{"name of 68", append(mpls, object(2, 0x02, name(strings.Repeat("n", 67))...)...), bad(0x02, name(strings.Repeat("n", 67))...)},
		{"name cut off", append(mpls, object(2, 0x02, eth0[:7]...)...), bad(0x02, eth0[:7]...)},
		{"MTU cut off", append(mpls, object(2, 0x01, 0, 5, 0xdc)...), bad(0x01, 0, 5, 0xdc)},
		{"object length 0", append(mpls, 0, 0, 1, 1), stack},
		{"object length 3", append(mpls, 0, 3, 1, 1), stack},
		{"object beyond the structure", append(mpls, 0, 5, 9, 9), stack},
		{"object header cut off", append(mpls, 0, 4, 9), stack},
		{"no object of a valid length", append([]byte{0, 3, 9, 9}, mpls...), extensionsView{}},

		{"more labels than are kept", object(1, 1, bytes.Repeat([]byte{0x05, 0xdc, 0x11, 0x01}, MaxMPLS+1)...), extensionsView{MPLS: slices.Repeat([]MPLS{mplsEntry}, MaxMPLS)}},
		{"more interfaces than are kept", append(bytes.Repeat(object(2, 0), MaxInterfaces+1), mpls...), extensionsView{MPLS: stack.MPLS, Interfaces: make([]Interface, MaxInterfaces)}},
		{"more objects than are kept", append(bytes.Repeat(object(9, 9), MaxObjects+1), mpls...), extensionsView{MPLS: stack.MPLS, Objects: slices.Repeat([]Object{{Class: 9, CType: 9}}, MaxObjects)}},
	}
	family := families[0]
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := parseOK(t, timeExceeded(t, family.router, family.source, [4]byte{1: 32}, padded(t, 0, 128), structure(test.objects...)...))
			e := &got.Extensions
			if diff := cmp.Diff(test.want, extensionsView{e.MPLS(), e.Interfaces(), e.Objects()}, replyOptions()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Quote.Sequence != goldenID.Sequence {
				t.Errorf("the quote was lost: %+v", got.Quote)
			}
		})
	}
}

// TestExtensionsOfXNet marshals any extensions with x/net/icmp.
func TestExtensionsOfXNet(t *testing.T) {
	for i, family := range families {
		rapid.Check(t, func(rt *rapid.T) {
			var want extensionsView
			var extensions []icmp.Extension
			for range rapid.IntRange(1, 4).Draw(rt, "n") {
				switch rapid.IntRange(0, 2).Draw(rt, "class") {
				case 0:
					stack := &icmp.MPLSLabelStack{Class: 1, Type: 1}
					for range rapid.IntRange(1, 4).Draw(rt, "labels") {
						m := MPLS{
							Label: rapid.Uint32Range(0, 1<<20-1).Draw(rt, "label"), Exp: rapid.Uint8Range(0, 7).Draw(rt, "exp"),
							Bottom: rapid.Bool().Draw(rt, "bottom"), TTL: rapid.Uint8().Draw(rt, "ttl"),
						}
						want.MPLS = append(want.MPLS, m)
						stack.Labels = append(stack.Labels, icmp.MPLSLabel{Label: int(m.Label), TC: int(m.Exp), S: m.Bottom, TTL: int(m.TTL)})
					}
					extensions = append(extensions, stack)
				case 1:
					info, in := drawInterface(rt, family.router)
					want.Interfaces = append(want.Interfaces, in)
					extensions = append(extensions, info)
				case 2:
					o := Object{Class: rapid.Uint8Min(4).Draw(rt, "class"), CType: rapid.Uint8().Draw(rt, "ctype"), Data: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "data")}
					want.Objects = append(want.Objects, o)
					extensions = append(extensions, &icmp.RawExtension{Data: object(o.Class, o.CType, o.Data...)})
				}
			}
			quote := build(t, flowOf(GREEcho, family.source, family.target), goldenID)
			var typ icmp.Type = ipv4.ICMPTypeTimeExceeded
			if i == 1 {
				typ = ipv6.ICMPTypeTimeExceeded
			}
			got := parseOK(t, icmpPacket(t, family.router, family.source, typ, 0, &icmp.TimeExceeded{Data: quote, Extensions: extensions}))
			view := extensionsView{got.Extensions.MPLS(), got.Extensions.Interfaces(), got.Extensions.Objects()}
			if diff := cmp.Diff(want, view, replyOptions()); diff != "" {
				rt.Fatalf("(-x/net +got):\n%s", diff)
			}
			if diff := cmp.Diff(view, func() extensionsView {
				c := got.Extensions.Clone()
				return extensionsView{c.MPLS(), c.Interfaces(), c.Objects()}
			}(), replyOptions()); diff != "" {
				rt.Fatalf("clone (-original +clone):\n%s", diff)
			}
		})
	}
}

// drawInterface draws an object that x/net/icmp can marshal: a name only next
// to an index, an address of the message's family.
func drawInterface(t *rapid.T, address netip.Addr) (*icmp.InterfaceInfo, Interface) {
	want := Interface{Role: rapid.Uint8Range(0, 3).Draw(t, "role")}
	info := &icmp.InterfaceInfo{Class: 2, Type: int(want.Role) << 6}
	if rapid.Bool().Draw(t, "hasIndex") {
		want.Index, want.HasIndex = rapid.Uint32Range(1, 1<<31-1).Draw(t, "index"), true
		name := rapid.StringMatching(`[a-z][a-z0-9]{0,62}`).Draw(t, "name")
		want.NameLen = uint8(copy(want.Name[:], name))
		want.MTU = rapid.Uint32Range(1, 1<<31-1).Draw(t, "mtu")
		info.Type |= interfaceIndex | interfaceName | interfaceMTU
		info.Interface = &net.Interface{Index: int(want.Index), Name: name, MTU: int(want.MTU)}
	}
	if rapid.Bool().Draw(t, "hasAddress") {
		want.Address = address
		info.Type |= interfaceAddress
		info.Addr = &net.IPAddr{IP: address.AsSlice()}
	}
	return info, want
}

// TestCloneIsApart overwrites the packet that the objects were read from.
func TestCloneIsApart(t *testing.T) {
	b := timeExceeded(t, families[0].router, families[0].source, [4]byte{1: 32}, padded(t, 0, 128), structure(object(9, 9, 1, 2, 3, 4)...)...)
	clone := parseOK(t, b).Extensions.Clone()
	clear(b)
	want := []Object{{Class: 9, CType: 9, Data: []byte{1, 2, 3, 4}}}
	if diff := cmp.Diff(want, clone.Objects()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
