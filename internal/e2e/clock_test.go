//go:build linux

package e2e

import (
	"testing"

	"probe-agent/traceroute"
)

// TestKernelClock: RTTs are the difference of two of the kernel's stamps. A
// busy machine may interrupt a reading of the clocks, which for a moment looks
// as if one of them had been set; more than now and then it does not.
func TestKernelClock(t *testing.T) {
	s := newSite(t, chain())
	var answers, kernel int
	for range 5 {
		for _, w := range ways() {
			for _, ipv6 := range []bool{false, true} {
				for _, p := range s.trace(t, w.spec(s, ipv6)).Probes {
					if p.Answer == nil {
						continue
					}
					answers++
					if p.Answer.Clock == traceroute.KernelClock {
						kernel++
					}
				}
			}
		}
	}
	if answers == 0 || kernel < answers*9/10 {
		t.Errorf("%d of %d RTTs are by the kernel's clock", kernel, answers)
	}
}
