package rawsock

import (
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"

	"probe-agent/packet"
)

// The filters run on real packets in the reference machine of x/net/bpf, in
// the form in which a raw socket of each family sees them.
func TestAnswerFilter(t *testing.T) {
	ports := portRange{first: 61440, count: 64}
	const ours, below, above, last = 61440, 61439, 61504, 61503
	families := []struct {
		name       string
		v6         bool
		icmp       uint8
		packet     trial
		passed     []uint8
		headerSize int
	}{
		{"IPv4", false, protocolICMP, trial{from: netip.MustParseAddr("192.0.2.1"), to: netip.MustParseAddr("192.0.2.2")}, []uint8{0, 3, 11, 12}, 20},
		{"IPv6", true, protocolICMPv6, trial{from: netip.MustParseAddr("2001:db8::1"), to: netip.MustParseAddr("2001:db8::2")}, []uint8{1, 2, 3, 4, 129}, 40},
	}
	for _, family := range families {
		passes := func(protocol uint8, packet []byte) bool {
			t.Helper()
			if family.v6 {
				packet = packet[family.headerSize:]
			}
			return run(t, answerFilter(family.v6, filterOf(t, family.v6, protocol), ports), packet)
		}
		t.Run(family.name+"/ICMP", func(t *testing.T) {
			wanted := map[uint8]bool{}
			for _, kind := range family.passed {
				wanted[kind] = true
			}
			for kind := range 256 {
				if got := passes(family.icmp, family.packet.icmp(t, uint8(kind), uint8(kind))); got != wanted[uint8(kind)] {
					t.Errorf("type %d: passed %v, want %v", kind, got, wanted[uint8(kind)])
				}
			}
		})
		t.Run(family.name+"/TCP", func(t *testing.T) {
			for _, c := range []struct {
				port  uint16
				flags string
				want  bool
			}{
				{ours, "SA", true},
				{last, "SA", true},
				{ours, "R", true},
				{ours, "RA", true},
				{ours, "SAP", true},
				{below, "SA", false},
				{above, "SA", false},
				{below, "R", false},
				{0, "R", false},
				{65535, "R", false},
				{ours, "S", false},
				{ours, "A", false},
				{ours, "PA", false},
				{ours, "FA", false},
				{ours, "", false},
			} {
				if got := passes(protocolTCP, family.packet.tcp(t, 80, c.port, c.flags)); got != c.want {
					t.Errorf("port %d flags %q: passed %v, want %v", c.port, c.flags, got, c.want)
				}
			}
			if passes(protocolTCP, family.packet.tcp(t, ours, 80, "SA")) {
				t.Error("passed a segment that only comes from one of our ports")
			}
		})
		t.Run(family.name+"/UDP", func(t *testing.T) {
			for port, want := range map[uint16]bool{ours: true, last: true, below: false, above: false, 0: false, 53: false, 65535: false} {
				if got := passes(protocolUDP, family.packet.udp(t, 53, port)); got != want {
					t.Errorf("port %d: passed %v, want %v", port, got, want)
				}
			}
		})
		t.Run(family.name+"/GRE", func(t *testing.T) {
			if !passes(protocolGRE, family.packet.gre(t)) {
				t.Error("dropped GRE")
			}
		})
	}
}

// IPv4 options move the transport header.
func TestAnswerFilterOptions(t *testing.T) {
	ports := portRange{first: 61440, count: 64}
	packet := trial{from: netip.MustParseAddr("192.0.2.1"), to: netip.MustParseAddr("192.0.2.2")}
	for _, words := range []int{1, 5, 10} {
		for name, c := range map[string]struct {
			protocol uint8
			bytes    []byte
			want     bool
		}{
			"SYN-ACK":      {protocolTCP, packet.tcp(t, 80, 61441, "SA"), true},
			"SYN":          {protocolTCP, packet.tcp(t, 80, 61441, "S"), false},
			"UDP":          {protocolUDP, packet.udp(t, 53, 61441), true},
			"UDP, other":   {protocolUDP, packet.udp(t, 61441, 53), false},
			"echo reply":   {protocolICMP, packet.icmp(t, 0, 0), true},
			"echo request": {protocolICMP, packet.icmp(t, 8, 0), false},
		} {
			b := append([]byte{}, c.bytes[:20]...)
			b[0] += byte(words)
			for range words {
				b = append(b, 1, 1, 1, 1) // no operation (RFC 791)
			}
			b = append(b, c.bytes[20:]...)
			if got := run(t, answerFilter(false, filterOf(t, false, c.protocol), ports), b); got != c.want {
				t.Errorf("%s behind %d words of options: passed %v, want %v", name, words, got, c.want)
			}
		}
	}
}

// Whatever is cut off before the filter could read it is dropped.
func TestAnswerFilterShort(t *testing.T) {
	ports := portRange{first: 61440, count: 64}
	packet := trial{from: netip.MustParseAddr("192.0.2.1"), to: netip.MustParseAddr("192.0.2.2")}
	for _, c := range []struct {
		protocol uint8
		bytes    []byte
		reads    int
	}{
		{protocolTCP, packet.tcp(t, 80, 61441, "SA"), 34},
		{protocolUDP, packet.udp(t, 53, 61441), 24},
		{protocolICMP, packet.icmp(t, 0, 0), 21},
	} {
		for length := range len(c.bytes) {
			want := length >= c.reads
			if got := run(t, answerFilter(false, filterOf(t, false, c.protocol), ports), c.bytes[:length]); got != want {
				t.Errorf("protocol %d, %d bytes: passed %v, want %v", c.protocol, length, got, want)
			}
		}
	}
}

func TestDropAll(t *testing.T) {
	if run(t, dropAll(), make([]byte, 64)) {
		t.Error("passed a packet")
	}
}

// run assembles a program, as the kernel would get it, and runs it.
func run(t *testing.T, program []bpf.Instruction, packet []byte) bool {
	t.Helper()
	raw, err := bpf.Assemble(program)
	if err != nil {
		t.Fatal(err)
	}
	decoded, all := bpf.Disassemble(raw)
	if !all {
		t.Fatal("program does not disassemble")
	}
	vm, err := bpf.NewVM(decoded)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := vm.Run(packet)
	if err != nil {
		t.Fatal(err)
	}
	return kept >= len(packet) && kept > 0
}

// filterOf is the filter of a protocol that answers come by.
func filterOf(t *testing.T, v6 bool, protocol uint8) packet.Filter {
	t.Helper()
	for _, f := range packet.Filters(v6) {
		if f.Protocol == protocol {
			return f
		}
	}
	t.Fatalf("no filter for protocol %d", protocol)
	return packet.Filter{}
}
