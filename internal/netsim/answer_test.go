package netsim_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"probe-agent/internal/netsim"
)

// answer is a delivery taken apart, after its lengths and checksums were
// checked by slow and obvious code.
type answer struct {
	netsim.Delivery
	from, to     netip.Addr
	ttl, tos     uint8
	protocol     uint8
	segment      []byte
	ipv6         bool
	kind, code   uint8 // of ICMP
	quote        []byte
	rest         uint32
	lengthField  uint8
	sport, dport uint16
}

func readAnswer(t testing.TB, d netsim.Delivery) answer {
	t.Helper()
	b := d.Bytes
	a := answer{Delivery: d}
	switch b[0] >> 4 {
	case 4:
		if int(binary.BigEndian.Uint16(b[2:])) != len(b) || b[0] != 0x45 || slowSum(b[:20]) != 0 {
			t.Fatalf("bad IPv4 header: % x", b[:20])
		}
		a.from, a.to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		a.tos, a.ttl, a.protocol, a.segment = b[1], b[8], b[9], b[20:]
	case 6:
		if int(binary.BigEndian.Uint16(b[4:])) != len(b)-40 {
			t.Fatalf("bad IPv6 header: % x", b[:40])
		}
		a.ipv6 = true
		a.from, a.to = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		a.tos, a.ttl, a.protocol, a.segment = b[0]<<4|b[1]>>4, b[7], b[6], b[40:]
	default:
		t.Fatalf("no IP packet: % x", b)
	}
	checkTransport(t, a)
	switch a.protocol {
	case 1, 58:
		a.kind, a.code, a.rest = a.segment[0], a.segment[1], binary.BigEndian.Uint32(a.segment[4:])
		a.quote, a.lengthField = a.segment[8:], a.segment[5]
		if a.ipv6 {
			a.lengthField = a.segment[4]
		}
	case 6, 17:
		a.sport, a.dport = binary.BigEndian.Uint16(a.segment), binary.BigEndian.Uint16(a.segment[2:])
	}
	return a
}

func checkTransport(t testing.TB, a answer) {
	t.Helper()
	if a.protocol == 47 {
		return
	}
	var pseudo []byte
	if a.protocol != 1 {
		pseudo = append(a.from.AsSlice(), a.to.AsSlice()...)
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(a.segment)))
		pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(a.protocol))
	}
	if slowSum(append(pseudo, a.segment...)) != 0 {
		t.Fatalf("bad checksum in protocol %d: % x", a.protocol, a.Bytes)
	}
	if a.protocol == 17 && int(binary.BigEndian.Uint16(a.segment[4:])) != len(a.segment) {
		t.Fatalf("bad UDP length: % x", a.segment)
	}
}

// slowSum is the checksum of RFC 1071, word by word: 0 over data that holds a
// right one.
func slowSum(b []byte) uint16 {
	total := 0
	for i, c := range b {
		if i%2 == 0 {
			total += int(c) << 8
		} else {
			total += int(c)
		}
		total = total&0xffff + total>>16
	}
	return ^uint16(total)
}

// String is "20ms n2 time-exceeded": delay, sender and kind, alike in both
// families where the families are alike.
func (a answer) String() string {
	return fmt.Sprintf("%v %s %s", a.After, nodeName(a.from), a.what())
}

func nodeName(addr netip.Addr) string {
	for n := 1; n < 256; n++ {
		if netsim.N(n).For(addr.Is6()) == addr {
			return fmt.Sprintf("n%d", n)
		}
	}
	switch addr {
	case target.For(addr.Is6()):
		return "target"
	case source.For(addr.Is6()):
		return "source"
	}
	return addr.String()
}

func (a answer) what() string {
	switch a.protocol {
	case 1:
		return icmpName(a, map[uint8]string{0: "echo-reply", 3: "unreachable", 11: "time-exceeded", 12: "parameter-problem"},
			map[uint8]string{2: "protocol-unreachable", 3: "port-unreachable", 4: fmt.Sprintf("too-big %d", a.rest)}, 3)
	case 58:
		return icmpName(a, map[uint8]string{129: "echo-reply", 1: "unreachable", 2: fmt.Sprintf("too-big %d", a.rest), 3: "time-exceeded", 4: "parameter-problem"},
			map[uint8]string{4: "port-unreachable"}, 1)
	case 6:
		flags := ""
		for i, name := range "FSRPA" {
			if a.segment[13]>>i&1 == 1 {
				flags += string(name)
			}
		}
		return "tcp " + flags
	case 17:
		return fmt.Sprintf("udp %d", len(a.segment)-8)
	case 47:
		return "gre"
	}
	return fmt.Sprintf("protocol %d", a.protocol)
}

func icmpName(a answer, kinds, unreachables map[uint8]string, unreachable uint8) string {
	name, ok := kinds[a.kind]
	if !ok {
		return fmt.Sprintf("icmp %d", a.kind)
	}
	if special, ok := unreachables[a.code]; ok && a.kind == unreachable {
		return special
	}
	if a.code != 0 || a.kind == unreachable {
		name += fmt.Sprintf(" %d", a.code)
	}
	return name
}

// send sends one probe and returns what comes of it.
func send(t testing.TB, carrier netsim.Carrier, ipv6 bool, p probe, at ...duration) []answer {
	t.Helper()
	var when duration
	if len(at) > 0 {
		when = at[0]
	}
	var answers []answer
	for _, d := range carrier.Receive(when, p.bytes(t, ipv6)) {
		answers = append(answers, readAnswer(t, d))
	}
	return answers
}

// sendOne is send for probes that get exactly one answer.
func sendOne(t testing.TB, carrier netsim.Carrier, ipv6 bool, p probe) answer {
	t.Helper()
	answers := send(t, carrier, ipv6, p)
	if len(answers) != 1 {
		t.Fatalf("probe %+v got %d answers, want 1", p, len(answers))
	}
	return answers[0]
}

func newNetwork(t testing.TB, s *netsim.Scenario) *netsim.Network {
	t.Helper()
	n, err := netsim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
