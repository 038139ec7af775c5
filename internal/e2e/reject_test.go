//go:build linux

package e2e

import (
	"fmt"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/traceroute"
)

// assigned6 is the number of ICMPv6 unreachable codes (RFC 4443 section 3.1).
const assigned6 = 7

// Every unreachable code ends the path, with the label that traceroute(8)
// prints, whether it comes for the router's own TTL or only beyond.
func TestRejects(t *testing.T) {
	for code := range uint8(16) {
		for _, early := range []bool{false, true} {
			t.Run(fmt.Sprintf("code %d, early %t", code, early), func(t *testing.T) {
				t.Parallel()
				topology := chain()
				topology.Routers[2].Reject = &kernel.Reject{IPv4: code, IPv6: code % assigned6, Early: early}
				s := newSite(t, topology)
				for _, w := range ways() {
					for _, ipv6 := range []bool{false, true} {
						result := s.trace(t, w.spec(s, ipv6))
						s.asExpected(t, result)
						// To the sockets of traceroute -U and -P, code 4 is no
						// error.
						if w.method == traceroute.ICMP || w.method == traceroute.TCP && code != 4 {
							s.asTraceroute(t, w, result, "-w", "5")
						}
					}
				}
			})
		}
	}
}

// The routing table's own refusals. The kernel allows five of their IPv4
// errors at once and then one per second, whatever the namespace says.
func TestRouteRefusals(t *testing.T) {
	for name, kind := range map[string]kernel.RouteKind{
		"unreachable": kernel.Unreachable, "prohibit": kernel.Prohibit, "none": kernel.None,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, w := range ways() {
				for _, ipv6 := range []bool{false, true} {
					topology := chain()
					topology.Routers[2].Route = kind
					s := newSite(t, topology)
					spec := w.spec(s, ipv6)
					spec.MaxTTL, spec.PacketsPerTTL = 3, 1
					s.asExpected(t, s.trace(t, spec))
				}
			}
		})
	}
}

// A link that is too narrow for a probe ends its path with the link's MTU.
// Only GRE probes are longer than the narrowest link that IPv4 allows; no
// probe is longer than IPv6's.
func TestNarrowLink(t *testing.T) {
	const narrow = 2 // the router before the link
	topology := chain()
	topology.Routers[narrow].MTU = 68
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		s := newSite(t, topology)
		spec := w.spec(s, ipv6)
		result := s.trace(t, spec)
		s.sensible(t, result)
		want, stop := expected(s.Lab, result.Spec)
		if !ipv6 && w.method == traceroute.GRE {
			want, stop = want[:narrow+2], traceroute.Blocked
			want[narrow+1].Nodes = []node{{s.Routers[narrow].IPv4.String(), 3, "!F-68"}}
		}
		if !ipv6 && w.method == traceroute.GREICMP {
			// The GRE half ends there, the other goes on.
			want[narrow+1].Nodes[0] = node{s.Routers[narrow].IPv4.String(), 3, "GRE !F-68"}
			for i := narrow + 2; i < len(want); i++ {
				want[i].Sent, want[i].Nodes = 3, want[i].Nodes[1:]
			}
		}
		equal(t, want, shown(result))
		if result.Stop != stop {
			t.Errorf("stop %d, want %d", result.Stop, stop)
		}
	})
}
