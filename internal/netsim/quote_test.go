package netsim_test

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/icmp"

	"probe-agent/internal/netsim"
)

func headerLength(ipv6 bool) int {
	if ipv6 {
		return 40
	}
	return 20
}

// lowered is a probe as the router at the given TTL receives it.
func lowered(b []byte, ttl uint8) []byte {
	b = bytes.Clone(b)
	if b[0]>>4 == 6 {
		b[7] = ttl
		return b
	}
	b[8], b[10], b[11] = ttl, 0, 0
	binary.BigEndian.PutUint16(b[10:], slowSum(b[:20]))
	return b
}

func TestQuoteLength(t *testing.T) {
	tests := []struct {
		length         netsim.QuoteLength
		payload        int
		want4, want6   int // bytes in all
		withExtension  int // as padded, IPv4
		withExtension6 int
	}{
		{length: 8, payload: 400, want4: 28, want6: 48, withExtension: 128, withExtension6: 128},
		{length: 28, payload: 400, want4: 48, want6: 68, withExtension: 128, withExtension6: 128},
		{length: 128, payload: 400, want4: 148, want6: 168, withExtension: 148, withExtension6: 168},
		{length: 0, payload: 20, want4: 48, want6: 68, withExtension: 128, withExtension6: 128},
		{length: 0, payload: 123, want4: 151, want6: 171, withExtension: 152, withExtension6: 176},
		// Full is cut at errors of 576 and 1280 bytes; 8 bytes of extensions
		// and the padding unit go off that.
		{length: 0, payload: 1400, want4: 548, want6: 1232, withExtension: 536, withExtension6: 1216},
	}
	for _, test := range tests {
		families(t, func(t *testing.T, ipv6 bool) {
			scenario := netsim.Chain(2, 30*ms)
			for i := range scenario.Hops {
				scenario.Hops[i].Quote.Length = test.length
			}
			scenario.Hops[1].Objects = []netsim.Object{{Class: 99, Type: 1, Data: netsim.Hex{1, 2, 3, 4}}}
			network := newNetwork(t, scenario)
			p := probe{kind: "udp", ttl: 1, payload: test.payload}
			bare, want, wantPadded := sendOne(t, network, ipv6, p), test.want4, test.withExtension
			if ipv6 {
				want, wantPadded = test.want6, test.withExtension6
			}
			if diff := cmp.Diff(p.bytes(t, ipv6)[:want], bare.quote); diff != "" {
				t.Errorf("%+v: quote (-want +got):\n%s", test, diff)
			}
			if bare.lengthField != 0 {
				t.Errorf("length field %d without extensions", bare.lengthField)
			}
			p.ttl = 2
			extended := sendOne(t, network, ipv6, p)
			unit := map[bool]int{false: 4, true: 8}[ipv6]
			if got := int(extended.lengthField) * unit; got != wantPadded {
				t.Errorf("%+v: length field says %d, want %d", test, got, wantPadded)
			}
			if got := len(extended.quote); got != wantPadded+12 {
				t.Errorf("%+v: %d bytes behind the ICMP header, want %d", test, got, wantPadded+12)
			}
		})
	}
}

func TestLengthField(t *testing.T) {
	for _, test := range []struct {
		field        netsim.LengthField
		want4, want6 uint8
		quoted       int
	}{
		{netsim.RightLength, 38, 22, 152},
		{netsim.ZeroLength, 0, 0, 128},
		{netsim.WrongLength, 255, 255, 152},
		{5, 5, 5, 152},
	} {
		families(t, func(t *testing.T, ipv6 bool) {
			scenario := netsim.Chain(1, 10*ms)
			scenario.Hops[0].MPLS = []netsim.Label{{Label: 3}}
			scenario.Hops[0].Quote.LengthField = test.field
			a := sendOne(t, newNetwork(t, scenario), ipv6, probe{kind: "udp", ttl: 1, payload: 123})
			want, quoted := test.want4, test.quoted
			if ipv6 {
				want = test.want6
				if quoted != 128 {
					quoted = 176
				}
			}
			if a.lengthField != want || len(a.quote)-12 != quoted {
				t.Errorf("field %d: says %d over %d bytes, want %d over %d", test.field, a.lengthField, len(a.quote)-12, want, quoted)
			}
		})
	}
}

// x/net/icmp reads what is in the extensions.
func TestExtensions(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(2, 10*ms)
		hop := &scenario.Hops[1]
		hop.MPLS = []netsim.Label{{Label: 24001, Exp: 5, TTL: 1}, {Label: 16, TTL: 254}}
		hop.Interfaces = []netsim.Interface{
			{Role: 0, Index: new(uint32(7)), Address: netsim.N(107), Name: "et-0/0/1", MTU: 9000},
			{Role: 2, Index: new(uint32(8))},
		}
		hop.Objects = []netsim.Object{{Class: 200, Type: 9, Data: netsim.Hex{0xc0, 0xff, 0xee, 0}}}
		a := sendOne(t, newNetwork(t, scenario), ipv6, probe{kind: "udp", ttl: 2})
		message, err := icmp.ParseMessage(int(a.protocol), a.segment)
		if err != nil {
			t.Fatal(err)
		}
		inet, zone := net.IP(netsim.N(107).For(ipv6).AsSlice()), ""
		want := []icmp.Extension{
			&icmp.MPLSLabelStack{Class: 1, Type: 1, Labels: []icmp.MPLSLabel{{Label: 24001, TC: 5, TTL: 1}, {Label: 16, S: true, TTL: 254}}},
			&icmp.InterfaceInfo{Class: 2, Type: 0x0f, Addr: &net.IPAddr{IP: inet, Zone: zone}, Interface: &net.Interface{Index: 7, Name: "et-0/0/1", MTU: 9000}},
			&icmp.InterfaceInfo{Class: 2, Type: 0x88, Interface: &net.Interface{Index: 8}},
			&icmp.RawExtension{Data: []byte{0, 8, 200, 9, 0xc0, 0xff, 0xee, 0}},
		}
		body, ok := message.Body.(*icmp.TimeExceeded)
		if !ok {
			t.Fatalf("body is %T", message.Body)
		}
		if ipv6 {
			// x/net gives an IPv6 address its zone from the interface.
			want[1].(*icmp.InterfaceInfo).Addr.Zone = body.Extensions[1].(*icmp.InterfaceInfo).Addr.Zone
		}
		sameIP := cmp.Comparer(func(a, b net.IP) bool { return a.Equal(b) })
		if diff := cmp.Diff(want, body.Extensions, sameIP); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// Packet too big and IPv6 parameter problem have no room to say how
		// long their quote is (RFC 4884 section 4): they carry no extensions.
		scenario.Hops[1].Reject = []netsim.Reject{{Kind: netsim.TooBig, MTU: 1280, When: netsim.All}}
		a = sendOne(t, newNetwork(t, scenario), ipv6, probe{kind: "udp", ttl: 2})
		if whole := len(probe{kind: "udp"}.bytes(t, ipv6)); ipv6 && len(a.quote) != whole {
			t.Errorf("packet too big carries %d bytes, want %d", len(a.quote), whole)
		}
	})
}

func quoted(quote []byte) (from, to netip.Addr) {
	if quote[0]>>4 == 6 {
		return netip.AddrFrom16([16]byte(quote[8:24])), netip.AddrFrom16([16]byte(quote[24:40]))
	}
	return netip.AddrFrom4([4]byte(quote[12:16])), netip.AddrFrom4([4]byte(quote[16:20]))
}

func quotedTOS(quote []byte) uint8 {
	if quote[0]>>4 == 6 {
		return quote[0]<<4 | quote[1]>>4
	}
	return quote[1]
}

func TestReplyTTL(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(4, 50*ms)
		scenario.Hops[1].ReplyTTL, scenario.Hops[1].ReplyTOS = 64, 0xc0
		scenario.Hops[2].ReturnHops = new(9)
		scenario.Hops[3].ReplyTTL = 3 // too few for the three routers before it
		network := newNetwork(t, scenario)
		for ttl, want := range map[uint8]uint8{1: 255, 2: 63, 3: 246, 5: 60} {
			if a := sendOne(t, network, ipv6, echoProbe(ttl)); a.ttl != want {
				t.Errorf("answer to TTL %d arrives with TTL %d, want %d", ttl, a.ttl, want)
			}
		}
		if a := sendOne(t, network, ipv6, echoProbe(2)); a.tos != 0xc0 {
			t.Errorf("answer has TOS %x, want c0", a.tos)
		}
		if a := send(t, network, ipv6, echoProbe(4)); a != nil {
			t.Errorf("an answer with too short a TTL came home: %v", a)
		}
	})
}

// A loop is long on the way out only: its routers are as near as ever.
func TestReplyTTLInLoop(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(3, 40*ms)
		scenario.Hops[2].Loop = 2
		network := newNetwork(t, scenario)
		for ttl, want := range map[uint8]uint8{2: 254, 3: 253, 4: 254, 5: 253, 40: 254} {
			if a := sendOne(t, network, ipv6, echoProbe(ttl)); a.ttl != want {
				t.Errorf("answer to TTL %d arrives with TTL %d, want %d", ttl, a.ttl, want)
			}
		}
	})
}
