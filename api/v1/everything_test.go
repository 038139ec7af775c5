package v1

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"probe-agent/lookup"
	"probe-agent/packet"
	"probe-agent/prober"
)

// object is an ICMP extension object (RFC 4884 section 7.2).
func object(class, cType byte, data ...byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(4+len(data))), append([]byte{class, cType}, data...)...)
}

// extensions are what the parser makes of an ICMPv6 error with the objects.
func extensions(t testing.TB, objects ...[]byte) *packet.Extensions {
	t.Helper()
	quote := make([]byte, 128)
	quote[0], quote[5], quote[6], quote[7] = 0x60, 88, 58, 1 // IPv6, its payload, ICMPv6, hop limit
	copy(quote[8:], netip.MustParseAddr("2001:db8::9").AsSlice())
	copy(quote[24:], netip.MustParseAddr("2001:db8::100").AsSlice())
	quote[40] = 128                                    // echo request
	message := append([]byte{3, 0, 0, 0, 16}, 0, 0, 0) // time exceeded, 16 × 8 bytes of quote
	message = append(append(message, quote...), 0x20, 0, 0, 0)
	for _, o := range objects {
		message = append(message, o...)
	}
	var reply packet.Reply
	in := packet.Incoming{IPv6: true, Protocol: 58, Bytes: message}
	if err := packet.Parse(&in, &reply); err != nil {
		t.Fatal(err)
	}
	return reply.Extensions.Clone()
}

// everything is a result in which every field has a value that tells it from
// the others, and every kind of thing occurs that a result can hold.
func everything(t testing.TB) (*prober.Result, Notes) {
	t.Helper()
	target, router := netip.MustParseAddr("2001:db8::100"), netip.MustParseAddr("2001:db8::1")
	rich := extensions(t,
		object(1, 1, 0x05, 0xdc, 0x1a, 0x40, 0x00, 0x01, 0x05, 0x02), // labels 24001 and 16
		object(2, 0x0f|2<<6, append(append([]byte{0, 0, 0, 7, 0, 2, 0, 0}, router.AsSlice()...), 8, 'x', 'e', '-', '0', '\xff', 0, 0, 0, 0, 5, 0xdc)...),
		object(2, 0),
		object(9, 8, 0xde, 0xad, 0xbe, 0xef),
		object(3, 1),
	)
	ms := time.Millisecond
	r := &prober.Result{
		Spec:     prober.Spec{Target: target, Method: prober.GREICMP, MaxTTL: 20, PacketsPerTTL: 2, Port: 1, Wait: 250 * ms, Family: prober.IPv6Only},
		Source:   netip.MustParseAddr("2001:db8::9"),
		Started:  time.Date(2026, 11, 24, 7, 12, 54, 104233871, time.FixedZone("", 3600)),
		Duration: 300*ms + 1,
		Stop:     prober.Reached,
		Counts:   prober.Counts{Beyond: 5, Retried: 1, Duplicates: 2, Late: 3, Forged: 4},
		Limited:  []uint8{2},
		Probes: []prober.Probe{
			{TTL: 1, Encapsulated: true, Sent: 1, Answer: &prober.Answer{From: router, RTT: ms + 1, Clock: prober.KernelClock, Kind: packet.TimeExceeded, TTL: 64, QuotedTTL: 1, QuotedTOS: 8, Extensions: rich}},
			{TTL: 1, Encapsulated: true, Flow: 1, Sent: 2},
			{TTL: 1, Sent: 3, Answer: &prober.Answer{From: router, RTT: 2 * ms, Clock: prober.KernelReceiveClock, Kind: packet.Unreachable, Code: 1, TTL: 63}},
			{TTL: 1, Flow: 1, Sent: 4, Answer: &prober.Answer{RTT: 4 * ms, Clock: prober.UserClock, Kind: packet.TimeExceeded, QuotedTTL: 1}},
			{TTL: 2, Encapsulated: true, Sent: 5, Answer: &prober.Answer{From: router, RTT: 2 * ms, Kind: packet.PacketTooBig, MTU: 1400, TTL: 9}},
			{TTL: 2, Sent: 6, Answer: &prober.Answer{From: target, RTT: 9 * ms, Kind: packet.EchoReply, Arrival: true, TTL: 57}},
			{TTL: 2, Flow: 1, Sent: 7, Answer: &prober.Answer{From: target, RTT: 10 * ms, Kind: packet.EchoReply, Arrival: true, TTL: 57}},
		},
	}
	return r, Notes{
		router: lookup.Annotation{Name: "gw.example.net", ASN: 64500},
		target: lookup.Annotation{ASN: 64501},
	}
}
