//go:build linux

package e2e

import (
	"testing"

	"probe-agent/traceroute"
)

func TestChain(t *testing.T) {
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		// A lab for each: traceroute -P 47 takes the answers to all GRE
		// packets for its own.
		s := newSite(t, chain())
		result := s.trace(t, w.spec(s, ipv6))
		s.asExpected(t, result)
		s.asTraceroute(t, w, result, "-w", "5")
		for _, p := range result.Probes {
			want := w.arrival4
			switch {
			case w.method == traceroute.GREICMP && !p.Encapsulated:
				want = traceroute.EchoReply
			case ipv6:
				want = w.arrival6
			}
			if p.Answer != nil && p.Answer.Arrival && p.Answer.Kind != want {
				t.Errorf("arrival by %v, want %v", p.Answer.Kind, want)
			}
		}
	})
}
