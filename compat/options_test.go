package compat

import (
	"net"
	"slices"
	"testing"
)

// testOptions gives every option a value that is not its default, and looks at
// the wire for what the agent made of it.
func testOptions(t *testing.T, s sdk, call caller, p *tap) {
	t.Run("all", func(t *testing.T) { testAllOptions(t, s, call, p) })
	tests := []struct {
		packetType string
		port       int
		want       int // first number on the wire
	}{
		{"icmp", 0, 1},
		{"icmp", 4711, 4711},
		{"tcp", 0, 80},
		{"tcp", 4712, 4712},
		{"udp", 0, 33434},
		{"udp", 4713, 4713},
	}
	for _, tt := range tests {
		name := tt.packetType
		if tt.port != 0 {
			name += " with port"
		}
		t.Run(name, func(t *testing.T) {
			if s.portless && tt.port != 0 {
				t.Skip("the SDK has no option for the port")
			}
			const target = "127.0.0.41"
			w := tapWire(t, tt.packetType, target)
			s.traces(t, call, p, ask{Account: account, Targets: []string{target}, Options: options{PacketType: tt.packetType, Port: tt.port}})
			got := w.probes(t)
			slices.Sort(got)
			if len(got) < 3 {
				t.Fatalf("%d probes on the wire, want at least 3", len(got))
			}
			want := tt.want
			for _, number := range got {
				if number != want {
					t.Fatalf("numbers on the wire are %v, want them from %d", got, tt.want)
				}
				if tt.packetType == "icmp" {
					want++ // by every probe
				}
			}
		})
	}
	t.Run("gre", func(t *testing.T) {
		const target = "127.0.0.42"
		w := tapWire(t, "gre", target)
		s.traces(t, call, p, ask{Account: account, Targets: []string{target}, Options: options{PacketType: "gre", MaxTTL: 1}})
		if got := len(w.probes(t)); got != 3 {
			t.Errorf("%d GRE probes on the wire, want 3", got)
		}
	})
}

// testAllOptions traces a port that is open and never answers: all hops are
// silent, so that the trace takes its whole wait time and runs to its max TTL.
func testAllOptions(t *testing.T, s sdk, call caller, p *tap) {
	const target = "127.0.0.43"
	const wait, maxTTL, perTTL = 2, 4, 2
	a := ask{Account: account, Targets: []string{target}, Colos: []string{coloName}, Options: options{
		MaxTTL: maxTTL, PacketType: "udp", PacketsPerTTL: perTTL, WaitTime: wait,
	}}
	listen := &net.UDPAddr{IP: net.ParseIP(target)}
	if s.portless {
		listen.Port = 33434 // the default
	}
	silent, err := net.ListenUDP("udp4", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	port := silent.LocalAddr().(*net.UDPAddr).Port
	if !s.portless {
		a.Options.Port = port
	}
	w := tapWire(t, "udp", target)
	colo := s.traces(t, call, p, a)[0].Colos[0]
	if colo.TimeMS < 1000*wait {
		t.Errorf("took %d ms, less than the wait time", colo.TimeMS)
	}
	if len(colo.Hops) != maxTTL {
		t.Errorf("%d hops, want %d", len(colo.Hops), maxTTL)
	}
	for i, hop := range colo.Hops {
		if hop.TTL != i+1 || hop.Sent != perTTL || hop.Lost != perTTL || len(hop.Nodes) != 1 {
			t.Errorf("hop %d is %+v", i+1, hop)
			continue
		}
		if silence := (summary{Name: "NO RESPONSE"}); hop.Nodes[0].summary != silence || hop.Nodes[0].Labels != nil {
			t.Errorf("node of hop %d is %+v", i+1, hop.Nodes[0])
		}
	}
	want := slices.Repeat([]int{port}, maxTTL*perTTL)
	if got := w.probes(t); !slices.Equal(got, want) {
		t.Errorf("ports on the wire are %v, want %v", got, want)
	}
}
