package main

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api"
	"probe-agent/prober"
)

// twoHops is a trace of a silent and an answering hop, the second seen at two
// addresses.
func twoHops(stop prober.Stop) *prober.Result {
	answer := func(from string, rtt time.Duration) *prober.Answer {
		return &prober.Answer{From: netip.MustParseAddr(from), RTT: rtt, Arrival: stop == prober.Reached}
	}
	return &prober.Result{
		Spec:     prober.Spec{Target: netip.MustParseAddr("192.0.2.9"), Method: prober.UDP, MaxTTL: 2, PacketsPerTTL: 3},
		Source:   netip.MustParseAddr("192.0.2.1"),
		Duration: 1234567 * time.Microsecond,
		Probes: []prober.Probe{
			{TTL: 1, Flow: 0},
			{TTL: 1, Flow: 1},
			{TTL: 1, Flow: 2},
			{TTL: 2, Flow: 0, Answer: answer("192.0.2.9", 14*time.Microsecond)},
			{TTL: 2, Flow: 1, Answer: answer("192.0.2.9", 16*time.Microsecond)},
			{TTL: 2, Flow: 2, Answer: answer("192.0.2.7", 12345678*time.Nanosecond)},
		},
		Stop: stop,
	}
}

func TestTable(t *testing.T) {
	body := []string{
		"hop  node             answers    min ms   mean ms    max ms    dev ms",
		"  1  NO RESPONSE          0/3",
		"  2  192.0.2.9            2/3     0.014     0.015     0.016     0.001",
		"     192.0.2.7            1/3    12.346    12.346    12.346     0.000",
	}
	running := append([]string(nil), body...)
	running[1] = "  1  …                    0/3"
	tests := []struct {
		name, target string
		stop         prober.Stop
		heading      string
		body         []string
		ending       string
	}{
		{"address", "192.0.2.9", prober.Reached, "192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", body, "reached in 1.235s"},
		{"name", "example.com", prober.Exhausted, "example.com (192.0.2.9) from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", body, "not reached within 2 hops; 1.235s"},
		{"blocked", "192.0.2.9", prober.Blocked, "192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", body, "not reached: the path ends at an unreachable answer; 1.235s"},
		{"running", "192.0.2.9", prober.Running, "192.0.2.9 from 192.0.2.1: udp, 3 packets per hop, 2 hops at most", running, "running"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := append(append([]string{tt.heading}, tt.body...), tt.ending)
			if diff := cmp.Diff(want, table(tt.target, twoHops(tt.stop), nil)); diff != "" {
				t.Errorf("table (-want +got):\n%s", diff)
			}
		})
	}
}

// TestTableNames: what is known of a node stands behind its labels.
func TestTableNames(t *testing.T) {
	notes := map[netip.Addr]api.Annotation{
		netip.MustParseAddr("192.0.2.9"): {ASN: 64500, Name: "target.example"},
		netip.MustParseAddr("192.0.2.7"): {ASN: 64501},
	}
	want := []string{
		"  2  192.0.2.9            2/3     0.014     0.015     0.016     0.001  AS64500 target.example",
		"     192.0.2.7            1/3    12.346    12.346    12.346     0.000  AS64501",
	}
	if diff := cmp.Diff(want, table("192.0.2.9", twoHops(prober.Reached), notes)[3:5]); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}
