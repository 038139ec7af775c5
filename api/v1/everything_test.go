package v1

import (
	"net/netip"
	"time"

	"probe-agent/traceroute"
)

// everything is a result in which every field has a value that tells it from
// the others, and every kind of thing occurs that a result can hold.
func everything() (*traceroute.Result, traceroute.Notes) {
	target, router := netip.MustParseAddr("2001:db8::100"), netip.MustParseAddr("2001:db8::1")
	rich := &traceroute.Extensions{
		MPLS: []traceroute.MPLS{{Label: 24001, TrafficClass: 5, TTL: 64}, {Label: 16, TrafficClass: 2, Bottom: true, TTL: 2}},
		Interfaces: []traceroute.Interface{
			{Role: traceroute.RoleOutgoing, Index: 7, HasIndex: true, Addr: router, Name: "xe-0\uFFFD", MTU: 1500},
			{},
		},
		Objects: []traceroute.Object{{Class: 9, CType: 8, Data: []byte{0xde, 0xad, 0xbe, 0xef}}, {Class: 3, CType: 1}},
	}
	ms := time.Millisecond
	r := &traceroute.Result{
		Spec:     traceroute.Spec{Target: target, Method: traceroute.GREICMP, MaxTTL: 20, PacketsPerTTL: 2, Port: 1, Wait: 250 * ms, Family: traceroute.IPv6Only},
		Source:   netip.MustParseAddr("2001:db8::9"),
		Started:  time.Date(2026, 11, 24, 7, 12, 54, 104233871, time.FixedZone("", 3600)),
		Duration: 300*ms + 1,
		Stop:     traceroute.Reached,
		Counts:   traceroute.Counts{Beyond: 5, Retried: 1, Duplicates: 2, Late: 3, Forged: 4},
		Limited:  []uint8{2},
		Probes: []traceroute.Probe{
			{TTL: 1, Encapsulated: true, Sent: 1, Answer: &traceroute.Answer{From: router, RTT: ms + 1, Clock: traceroute.KernelClock, Kind: traceroute.TimeExceeded, TTL: 64, QuotedTTL: 1, QuotedTOS: 8, Extensions: rich}},
			{TTL: 1, Encapsulated: true, Flow: 1, Sent: 2},
			{TTL: 1, Sent: 3, Answer: &traceroute.Answer{From: router, RTT: 2 * ms, Clock: traceroute.KernelReceiveClock, Kind: traceroute.Unreachable, Code: 1, TTL: 63}},
			{TTL: 1, Flow: 1, Sent: 4, Answer: &traceroute.Answer{RTT: 4 * ms, Clock: traceroute.UserClock, Kind: traceroute.TimeExceeded, QuotedTTL: 1}},
			{TTL: 2, Encapsulated: true, Sent: 5, Answer: &traceroute.Answer{From: router, RTT: 2 * ms, Kind: traceroute.PacketTooBig, MTU: 1400, TTL: 9}},
			{TTL: 2, Sent: 6, Answer: &traceroute.Answer{From: target, RTT: 9 * ms, Kind: traceroute.EchoReply, Arrival: true, TTL: 57}},
			{TTL: 2, Flow: 1, Sent: 7, Answer: &traceroute.Answer{From: target, RTT: 10 * ms, Kind: traceroute.EchoReply, Arrival: true, TTL: 57}},
		},
	}
	return r, traceroute.Notes{
		router: traceroute.Note{Name: "gw.example.net", ASN: 64500},
		target: traceroute.Note{ASN: 64501},
	}
}
