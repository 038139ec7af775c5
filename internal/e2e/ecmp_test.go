//go:build linux

package e2e

import (
	"net/netip"
	"slices"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/traceroute"
)

// spreadTraces times PacketsPerTTLLimit flows all miss one of two branches
// once in 2^59 runs, and find a free source port for each UDP flow.
const spreadTraces = 6

// Where flows are balanced, every flow sees one path that exists, and both
// branches become nodes of their hop.
func TestDiamond(t *testing.T) {
	equalLengths, unequal, atTarget := kernel.Diamond(2, 2, 1, 1), kernel.Diamond(1, 1, 1, 2), kernel.Diamond(1, 0, 1, 3)
	byLabel := kernel.Diamond(1, 1, 2, 3)
	byLabel.Routers[0].Spread = kernel.SpreadFlowLabel
	byPort := []string{"tcp open", "tcp closed", "udp closed", "udp answering"}
	for _, c := range []struct {
		name     string
		topology kernel.Topology
		ways     []string
		ipv4     bool
	}{
		{"equal", equalLengths, byPort, true},
		{"unequal", unequal, byPort, true},
		{"joined at the target", atTarget, byPort, true},
		{"by flow label", byLabel, []string{"icmp", "gre", "tcp open", "udp closed"}, false},
	} {
		c.topology.Target = endpoint()
		for _, ipv6 := range []bool{false, true} {
			if !ipv6 && !c.ipv4 {
				continue
			}
			for _, w := range ways() {
				if !slices.Contains(c.ways, w.name) {
					continue
				}
				t.Run(c.name+", "+w.name+map[bool]string{false: " IPv4", true: " IPv6"}[ipv6], func(t *testing.T) {
					t.Parallel()
					newSite(t, c.topology).spreads(t, w, ipv6)
				})
			}
		}
	}
}

// spreads traces several times and demands that flows take the lab's paths,
// all of them.
func (s site) spreads(t *testing.T, w way, ipv6 bool) {
	possible := s.Paths(ipv6)
	taken := make([]int, len(possible))
	seen := map[int]map[string]bool{} // by TTL
	for range spreadTraces {
		spec := w.spec(s, ipv6)
		spec.PacketsPerTTL = traceroute.PacketsPerTTLLimit
		result := s.trace(t, spec)
		s.sensible(t, result)
		if result.Stop != traceroute.Reached || result.Counts.Forged+result.Counts.Late+result.Counts.Duplicates != 0 {
			t.Errorf("stop %d, counts %+v", result.Stop, result.Counts)
		}
		for flow, path := range paths(result) {
			i := slices.IndexFunc(possible, func(p []netip.Addr) bool { return slices.Equal(p, path) })
			if i < 0 {
				t.Fatalf("flow %d took %v, possible are %v", flow, path, possible)
			}
			taken[i]++
		}
		for _, h := range shown(result) {
			if seen[h.TTL] == nil {
				seen[h.TTL] = map[string]bool{}
			}
			for _, n := range h.Nodes {
				seen[h.TTL][n.Addr] = true
			}
		}
	}
	for i, path := range possible {
		if taken[i] == 0 {
			t.Errorf("no flow took %v", path)
		}
		for k, addr := range path {
			if !seen[k+1][addr.String()] {
				t.Errorf("TTL %d never showed %v, but %v", k+1, addr, seen[k+1])
			}
		}
	}
}
