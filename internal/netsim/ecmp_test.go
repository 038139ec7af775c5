package netsim_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
)

// diamond is n1, then n20-n21 or n30, then n40, then the target.
func diamond(by netsim.Balance) *netsim.Scenario {
	hop := func(n int) netsim.Hop {
		return netsim.Hop{Node: netsim.Node{Addresses: []netsim.Address{netsim.N(n)}, Delay: 10 * ms}}
	}
	s := netsim.Chain(0, 10*ms)
	s.Hops = []netsim.Hop{
		hop(1),
		{ECMP: &netsim.ECMP{By: by, Branches: [][]netsim.Hop{{hop(20), hop(21)}, {hop(30)}}}},
		hop(40),
	}
	s.Target.TCP.Open = []uint16{80}
	return s
}

var (
	longWay  = []string{"n1", "n20", "n21", "n40", "target"}
	shortWay = []string{"n1", "n30", "n40", "target"}
)

// way is who answers a flow's probes, TTL by TTL, up to the target.
func way(t *testing.T, network *netsim.Network, ipv6 bool, kind string, flow uint16) []string {
	t.Helper()
	var names []string
	for ttl := uint8(1); ttl < 10; ttl++ {
		// What may differ within a flow differs: sequence and payload length,
		// for ICMP only in ways that a probe keeps out of its checksum.
		p := probe{kind: kind, ttl: ttl, flow: flow}
		if kind != "icmp" {
			p.seq = uint16(ttl) * 100
		}
		a := sendOne(t, network, ipv6, p)
		names = append(names, nodeName(a.from))
		if nodeName(a.from) == "target" {
			return names
		}
	}
	t.Fatalf("never arrived: %v", names)
	return nil
}

func TestECMPByFlow(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		network := newNetwork(t, diamond(netsim.ByFlow))
		for _, kind := range []string{"icmp", "tcp", "udp", "gre"} {
			long := 0
			for flow := range uint16(64) {
				got := way(t, network, ipv6, kind, flow)
				switch {
				case cmp.Equal(got, longWay):
					long++
				case !cmp.Equal(got, shortWay):
					t.Errorf("%s flow %d went an impossible way: %v", kind, flow, got)
				}
			}
			// Binomial, n 64, p 1/2: 4 standard deviations are 16.
			if long < 16 || long > 48 {
				t.Errorf("%d of 64 %s flows went the long way", long, kind)
			}
		}
	})
}

func TestECMPByPacket(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		network := newNetwork(t, diamond(netsim.ByPacket))
		var got []string
		for range 4 {
			a := sendOne(t, network, ipv6, echoProbe(2))
			got = append(got, nodeName(a.from))
		}
		if diff := cmp.Diff([]string{"n20", "n30", "n20", "n30"}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Splits within splits, an empty branch, and a delay that hangs on the way.
func TestECMPNested(t *testing.T) {
	scenario, err := netsim.Parse("nested.yaml", []byte(`
hops:
  - {delay: 10ms}
  - ecmp:
      by: packet
      branches:
        - []
        - - {delay: 10ms}
          - ecmp: {by: packet, branches: [[{delay: 10ms}], [{delay: 20ms}]]}
target: {delay: 10ms}
`))
	if err != nil {
		t.Fatal(err)
	}
	families(t, func(t *testing.T, ipv6 bool) {
		network := newNetwork(t, scenario)
		var got []string
		for _, ttl := range []uint8{9, 9, 9, 9, 9, 3, 9, 3} {
			got = append(got, sendOne(t, network, ipv6, echoProbe(ttl)).String())
		}
		want := []string{
			"20ms target echo-reply", "40ms target echo-reply", // outer 1; outer 2, inner 1
			"20ms target echo-reply", "50ms target echo-reply", // outer 1; outer 2, inner 2
			"20ms target echo-reply", "30ms n3 time-exceeded",
			"20ms target echo-reply", "40ms n4 time-exceeded",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Routers of one make do not choose alike, or flows would never spread over
// two splits in a row.
func TestSplitsAreIndependent(t *testing.T) {
	scenario, err := netsim.Parse("twice.yaml", []byte(`
hops:
  - ecmp: {branches: [[{address: n10}], [{address: n11}]]}
  - ecmp: {branches: [[{address: n20}], [{address: n21}]]}
`))
	if err != nil {
		t.Fatal(err)
	}
	network := newNetwork(t, scenario)
	seen := map[string]int{}
	for flow := range uint16(128) {
		w := way(t, network, false, "udp", flow)
		seen[w[0]+w[1]]++
	}
	if len(seen) != 4 {
		t.Errorf("ways taken: %v, want all four", seen)
	}
}

func TestIPv6FlowLabelIsHashed(t *testing.T) {
	network := newNetwork(t, diamond(netsim.ByFlow))
	seen := map[string]bool{}
	for label := range byte(32) {
		p := probe{kind: "udp", ttl: 2, mangle: func(b []byte) { b[3] = label }}
		seen[nodeName(sendOne(t, network, true, p).from)] = true
	}
	if !seen["n20"] || !seen["n30"] {
		t.Errorf("32 flow labels led to %v only", seen)
	}
}
