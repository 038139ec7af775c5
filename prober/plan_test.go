package prober

import (
	"fmt"
	"testing"
	"time"
)

// timers is the granularity of the runtime's timers when it is idle.
const timers = time.Millisecond

// TestPathKnownNoLaterThanTraceroute holds the promise for every length of
// path and distance of target: each TTL has answered no later than
// traceroute(8) would have heard it, but for the granularity of timers: one
// tick until a TTL is opened and one until its turn.
func TestPathKnownNoLaterThanTraceroute(t *testing.T) {
	for hops := 1; hops <= 24; hops++ {
		for _, rtt := range []time.Duration{
			200 * time.Microsecond, 2 * time.Millisecond, 5 * time.Millisecond,
			10 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond, 150 * time.Millisecond,
		} {
			p := path{hops: hops, rtt: rtt, tick: timers}
			ours := p.run(Spec{MaxTTL: 30})
			theirs := p.runTraceroute(3, 30, time.Second)
			if ours.known > theirs.known+2*timers {
				t.Errorf("%d hops, target at %v: path known after %v, traceroute(8) knows it after %v", hops, rtt, ours.known, theirs.known)
			}
		}
	}
}

// TestFewerPacketsPastTheTarget compares what is sent for nothing. Seven hops
// far away are the exception that is granted for the sake of paths of twelve
// (see halfwaySpeculation); there, two more than traceroute(8) is the limit.
func TestFewerPacketsPastTheTarget(t *testing.T) {
	for hops := 1; hops <= 24; hops++ {
		for _, rtt := range []time.Duration{200 * time.Microsecond, 2 * time.Millisecond, 10 * time.Millisecond, 40 * time.Millisecond, 80 * time.Millisecond} {
			p := path{hops: hops, rtt: rtt, tick: timers}
			ours := p.run(Spec{MaxTTL: 30})
			limit := p.runTraceroute(3, 30, time.Second).past - 1
			if hops == halfwayTTL+1 {
				limit += 3
			}
			if ours.past > limit {
				t.Errorf("%d hops, target at %v: %d packets past the target, want at most %d", hops, rtt, ours.past, limit)
			}
		}
	}
}

func TestDurationOfATrace(t *testing.T) {
	const rtt = 80 * time.Millisecond
	tests := []struct {
		name   string
		path   path
		spec   Spec
		within time.Duration
	}{
		{"all answer", path{hops: 12, rtt: rtt}, Spec{MaxTTL: 30}, rtt * 16 / 10},
		{"four silent hops in a row", path{hops: 12, rtt: rtt, silent: silentTTLs(5, 6, 7, 8)}, Spec{MaxTTL: 30}, time.Second + rtt},
		{"four silent hops apart", path{hops: 12, rtt: rtt, silent: silentTTLs(2, 4, 7, 10)}, Spec{MaxTTL: 30}, time.Second + rtt},
		{"the first four silent", path{hops: 12, rtt: rtt, silent: silentTTLs(1, 2, 3, 4)}, Spec{MaxTTL: 30}, time.Second + rtt},
		// Before the target answers nothing tells how far to go.
		{"all routers silent", path{hops: 12, rtt: rtt, silent: silentTTLs(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)}, Spec{MaxTTL: 30}, time.Second + rtt*5/4},
		// The last TTL that answers is heard after 11/12 of the RTT; that the
		// next does not answer shows at the RTT itself at the earliest.
		{"silent target", path{hops: 12, rtt: rtt, silent: silentTTLs(12)}, Spec{MaxTTL: 30}, time.Second + rtt*5/4},
		{"nothing answers", path{hops: 1, rtt: rtt, silent: silentTTLs(1)}, Spec{MaxTTL: 64, PacketsPerTTL: 10}, time.Second + stallUnheard + 20*timers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.path.tick = timers
			if c := tt.path.run(tt.spec); c.took > tt.within {
				t.Errorf("took %v, want at most %v", c.took, tt.within)
			}
		})
	}
}

// TestSilentHopsShareOneWait tries every choice of four silent routers.
func TestSilentHopsShareOneWait(t *testing.T) {
	const rtt = 80 * time.Millisecond
	for a := 1; a <= 11; a++ {
		for b := a + 1; b <= 11; b++ {
			for c := b + 1; c <= 11; c++ {
				for d := c + 1; d <= 11; d++ {
					run := path{hops: 12, rtt: rtt, tick: timers, silent: silentTTLs(a, b, c, d)}.run(Spec{MaxTTL: 30})
					if run.took > time.Second+rtt {
						t.Errorf("TTLs %d, %d, %d and %d silent: took %v", a, b, c, d, run.took)
					}
				}
			}
		}
	}
}

// TestEveryTTLGetsItsPackets: whatever the plan saves, each TTL up to the end
// gets exactly the packets asked for.
func TestEveryTTLGetsItsPackets(t *testing.T) {
	for _, spec := range []Spec{{MaxTTL: 1, PacketsPerTTL: 1}, {MaxTTL: 64, PacketsPerTTL: 10}, {MaxTTL: 30, PacketsPerTTL: 3}, {MaxTTL: 9, PacketsPerTTL: 7}} {
		for _, hops := range []int{1, 2, 9, 12, 40, 80} {
			t.Run(fmt.Sprintf("ttl%d-q%d-hops%d", spec.MaxTTL, spec.PacketsPerTTL, hops), func(t *testing.T) {
				c := path{hops: hops, rtt: 30 * time.Millisecond, tick: timers}.run(spec)
				for ttl := 1; ttl <= min(hops, spec.MaxTTL); ttl++ {
					if got := len(c.perTTL[ttl]); got != spec.PacketsPerTTL {
						t.Errorf("TTL %d got %d packets, want %d", ttl, got, spec.PacketsPerTTL)
					}
				}
			})
		}
	}
}

// TestRoundsAreSpaced: a router that answers is not asked again at once,
// while there is time.
func TestRoundsAreSpaced(t *testing.T) {
	c := path{hops: 12, rtt: 80 * time.Millisecond, tick: timers}.run(Spec{MaxTTL: 30})
	for ttl := 1; ttl <= 12; ttl++ {
		for i := 1; i < len(c.perTTL[ttl]); i++ {
			if gap := c.perTTL[ttl][i] - c.perTTL[ttl][i-1]; gap < minGap {
				t.Errorf("TTL %d asked again after %v, want at least %v", ttl, gap, minGap)
			}
		}
	}
}
