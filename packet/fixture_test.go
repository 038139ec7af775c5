package packet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

var families = []struct {
	name           string
	source, target netip.Addr
	router         netip.Addr
}{
	{"v4", netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("203.0.113.2"), netip.MustParseAddr("198.51.100.9")},
	{"v6", netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:2::2"), netip.MustParseAddr("2001:db8:1::9")},
}

var allTypes = Types()

// answerTypes are the types whose probes an answer of each kind can answer.
var answerTypes = map[Kind]Type{EchoReply: ICMP, SynAck: TCP, Reset: TCP, UDPAnswer: UDP, GREAnswer: GRE, Decapsulated: GRE}

// flowOf is the flow of the golden probes.
func flowOf(typ Type, source, target netip.Addr) Flow {
	return Flow{
		Type: typ, Source: source, Target: target,
		SourcePort: 40080, TargetPort: 33434,
		EchoID: 0xbeef, Checksum: 0x1234, Key: 0xc0ffee01, FlowLabel: 0xabcde, TOS: 0x48,
	}
}

// goldenID identifies the golden probes.
var goldenID = ProbeID{TTL: 5, IPID: 0x4005, Sequence: 0x0705, Tag: 0x1122334455667788}

// eachFlow runs a test for every type over every family.
func eachFlow(t *testing.T, test func(t *testing.T, flow Flow)) {
	t.Helper()
	for _, family := range families {
		for _, typ := range allTypes {
			t.Run(typ.String()+"-"+family.name, func(t *testing.T) {
				test(t, flowOf(typ, family.source, family.target))
			})
		}
	}
}

func mustTemplate(t testing.TB, flow Flow) *Template {
	t.Helper()
	template, err := NewTemplate(flow)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

func build(t testing.TB, flow Flow, m ProbeID) []byte {
	t.Helper()
	b := make([]byte, MaxProbeLen)
	return b[:mustTemplate(t, flow).Build(b, m)]
}

// readHex reads a file of hex digits with # comments.
func readHex(t testing.TB, path ...string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return unhex(t, string(text))
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	var digits []byte
	for line := range bytes.Lines([]byte(text)) {
		line, _, _ = bytes.Cut(line, []byte("#"))
		digits = append(digits, bytes.Join(bytes.Fields(line), nil)...)
	}
	b, err := hex.DecodeString(string(digits))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// received is a whole IP packet as a raw socket hands it over.
func received(b []byte) *Incoming {
	if b[0]>>4 == 4 {
		return &Incoming{Bytes: b}
	}
	return &Incoming{
		IPv6: true, Protocol: b[ipv6NextHeader], HopLimit: b[ipv6HopLimit],
		TrafficClass: uint8(binary.BigEndian.Uint16(b) >> 4),
		From:         addr16(b[ipv6Source:]), To: addr16(b[ipv6Target:]),
		Bytes: b[ipv6HeaderLen:],
	}
}

// ipPacket puts an IP header, with TTL 61, in front of a segment.
func ipPacket(from, to netip.Addr, protocol uint8, segment []byte) []byte {
	if from.Is6() {
		b := make([]byte, ipv6HeaderLen, ipv6HeaderLen+len(segment))
		b[0] = 0x60
		binary.BigEndian.PutUint16(b[4:], uint16(len(segment)))
		b[ipv6NextHeader], b[ipv6HopLimit] = protocol, 61
		copy(b[ipv6Source:], from.AsSlice())
		copy(b[ipv6Target:], to.AsSlice())
		return append(b, segment...)
	}
	b := make([]byte, ipv4HeaderLen, ipv4HeaderLen+len(segment))
	b[0], b[ipv4TTL], b[ipv4Protocol] = 0x45, 61, protocol
	binary.BigEndian.PutUint16(b[ipv4TotalLen:], uint16(len(b)+len(segment)))
	copy(b[ipv4Source:], from.AsSlice())
	copy(b[ipv4Target:], to.AsSlice())
	return append(b, segment...)
}

// icmpPacket is an ICMP message as x/net/icmp marshals it, in its IP packet.
func icmpPacket(t testing.TB, from, to netip.Addr, typ icmp.Type, code int, body icmp.MessageBody) []byte {
	t.Helper()
	message := icmp.Message{Type: typ, Code: code, Body: body}
	var pseudo []byte
	protocol := uint8(protocolICMP)
	if from.Is6() {
		pseudo = icmp.IPv6PseudoHeader(from.AsSlice(), to.AsSlice())
		protocol = protocolICMPv6
	}
	b, err := message.Marshal(pseudo)
	if err != nil {
		t.Fatal(err)
	}
	return ipPacket(from, to, protocol, b)
}

// timeExceeded is an error of a router about quote, with the 4 bytes of its
// header and what follows the quote as given.
func timeExceeded(t testing.TB, from, to netip.Addr, word [4]byte, quote []byte, more ...byte) []byte {
	t.Helper()
	var typ icmp.Type = ipv4.ICMPTypeTimeExceeded
	if from.Is6() {
		typ = ipv6.ICMPTypeTimeExceeded
	}
	return icmpPacket(t, from, to, typ, 0, &icmp.RawBody{Data: append(append(word[:], quote...), more...)})
}

// parseOK parses a whole IP packet that must be a reply.
func parseOK(t testing.TB, b []byte) *Reply {
	t.Helper()
	r := new(Reply)
	if err := Parse(received(b), r); err != nil {
		t.Fatalf("Parse: %v\n%x", err, b)
	}
	return r
}

// extensionsView is what Extensions shows of itself.
type extensionsView struct {
	MPLS       []MPLS
	Interfaces []Interface
	Objects    []Object
}

// replyOptions compare replies by what their accessors show.
func replyOptions() cmp.Options {
	return cmp.Options{
		cmpopts.EquateComparable(netip.Addr{}, Interface{}),
		cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(Quote{}, "Length"), // TestRoundTrip compares it
		cmp.Transformer("view", func(e Extensions) extensionsView {
			return extensionsView{e.MPLS(), e.Interfaces(), e.Objects()}
		}),
	}
}
