//go:build linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// Silent hops cost one wait in all, however many they are.
func TestSilenceCostsOneWait(t *testing.T) {
	const wait = time.Second
	for _, silent := range [][]int{{2}, {0, 2, 4}, {1, 2, 3, 4}} {
		t.Run(fmt.Sprint(silent), func(t *testing.T) {
			t.Parallel()
			topology := chain()
			for _, i := range silent {
				topology.Routers[i].Silent = true
			}
			s := newSite(t, topology)
			everyWay(t, func(t *testing.T, w way, ipv6 bool) {
				spec := w.spec(s, ipv6)
				spec.Wait = wait
				result := s.trace(t, spec)
				s.asExpected(t, result)
				if result.Duration < wait || result.Duration >= 2*wait {
					t.Errorf("took %v, want one wait of %v", result.Duration, wait)
				}
			})
		})
	}
}

// A path on which nothing is silent costs no wait.
func TestNoSilenceNoWait(t *testing.T) {
	s := newSite(t, kernel.Topology{Routers: make([]kernel.Router, 5), Target: endpoint()})
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		result := s.trace(t, w.spec(s, ipv6))
		s.asExpected(t, result)
		if result.Duration >= unhurried/2 {
			t.Errorf("took %v", result.Duration)
		}
	})
}
