package netsim_test

import (
	"io/fs"
	"testing"
	"time"

	"probe-agent/internal/netsim"
)

// Whatever is sent in, nothing panics and whatever comes out is a whole packet
// with right checksums, for the prober who sent it.
func FuzzReceive(f *testing.F) {
	for _, kind := range []string{"icmp", "tcp", "udp", "gre", "gre-echo"} {
		for _, ipv6 := range []bool{false, true} {
			f.Add(probe{kind: kind, ttl: 2, flow: 7}.bytes(f, ipv6))
			f.Add(probe{kind: kind, ttl: 9, flow: 7}.bytes(f, ipv6))
		}
	}
	scenario, err := netsim.Parse("fuzz.yaml", []byte(`
hops:
  - {mpls: {label: 3}, mtu: 200}
  - ecmp: {branches: [[{rewrite: {source: n5, destination: n6, source_port: 9, restore: true}}], [{quote: {length: 28}}]]}
  - {middlebox: {protocols: udp, pass: true}}
target:
  gre: tunnel-back
  tcp: {open: [80]}
  udp: {default: open}
`))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		network := newNetwork(t, scenario)
		// As sent, and once more with the lengths and checksum that a kernel
		// would write, so that the fuzzer need not guess them.
		for _, packet := range [][]byte{b, mended(b)} {
			for _, d := range network.Receive(0, packet) {
				if a := readAnswer(t, d); a.protocol != 17 && a.to.Is6() != (packet[0]>>4 == 6) {
					t.Errorf("answer to %v", a.to)
				}
			}
		}
	})
}

func mended(b []byte) []byte {
	b = append([]byte(nil), b...)
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		b[2], b[3] = byte(len(b)>>8), byte(len(b))
		copy(b[16:20], target.For(false).AsSlice())
		b[10], b[11] = 0, 0
		if header := int(b[0]&15) * 4; header <= len(b) {
			sum := slowSum(b[:header])
			b[10], b[11] = byte(sum>>8), byte(sum)
		}
	case len(b) >= 40 && b[0]>>4 == 6:
		b[4], b[5] = byte((len(b)-40)>>8), byte(len(b)-40)
		copy(b[24:40], target.For(true).AsSlice())
	}
	return b
}

// Whatever is in a file, it is a network or an error.
func FuzzParse(f *testing.F) {
	files, err := netsim.Files(netsim.Scenarios())
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(netsim.Scenarios(), file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		scenario, err := netsim.Parse("fuzz.yaml", text)
		if err != nil {
			return
		}
		beHonest(scenario)
		network := newNetwork(t, scenario)
		for ttl := range uint8(12) {
			for _, ipv6 := range []bool{false, true} {
				send(t, network, ipv6, probe{kind: "udp", ttl: ttl})
			}
		}
	})
}

// beHonest takes forgeries out of a scenario, which may be wrong on purpose.
func beHonest(s *netsim.Scenario) {
	honest(s.Hops)
	s.Target.Forge = nil
	for i := range s.Changes {
		honest(s.Changes[i].Hops)
	}
}

func honest(hops []netsim.Hop) {
	for i := range hops {
		hops[i].Forge = nil
		if hops[i].ECMP != nil {
			for _, branch := range hops[i].ECMP.Branches {
				honest(branch)
			}
		}
	}
}

func BenchmarkReceive(b *testing.B) {
	for _, test := range []struct {
		name string
		ttl  uint8
	}{{"hop1", 1}, {"hop12", 12}, {"target", 64}} {
		for _, ipv6 := range []bool{false, true} {
			name := test.name + map[bool]string{false: "/ipv4", true: "/ipv6"}[ipv6]
			b.Run(name, func(b *testing.B) {
				network := newNetwork(b, netsim.Chain(12, 80*ms))
				packet := probe{kind: "udp", ttl: test.ttl}.bytes(b, ipv6)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					if len(network.Receive(time.Duration(i), packet)) != 1 {
						b.Fatal("no answer")
					}
				}
			})
		}
	}
}

// BenchmarkScenario is what a test of one trace costs before the engine does
// anything: a new network of 12 routers and 36 probes.
func BenchmarkScenario(b *testing.B) {
	var packets [][]byte
	for ttl := range uint8(12) {
		packets = append(packets, probe{kind: "udp", ttl: ttl + 1}.bytes(b, false))
	}
	for b.Loop() {
		network := newNetwork(b, netsim.Chain(12, 80*ms))
		for i := range 36 {
			network.Receive(0, packets[i%12])
		}
	}
}
