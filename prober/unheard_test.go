package prober_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
)

// starved is a network in memory whose host gives this process no time for what
// it receives, until a moment.
type starved struct {
	*netsim.Memory
	until time.Time
	held  [8]atomic.Bool
}

// Receive implements prober.Transport.
func (s *starved) Receive(queue int, into []packet.Incoming) (int, error) {
	n, err := s.Memory.Receive(queue, into)
	s.held[queue].Store(true)
	time.Sleep(time.Until(s.until))
	s.held[queue].Store(false)
	return n, err
}

// Behind implements prober.Transport.
func (s *starved) Behind(queue int) bool { return s.held[queue].Load() || s.Memory.Behind(queue) }

// TestStarvedReceiver: an answer that arrived within the wait is one, however
// late it is read, and its RTT is that of its arrival; one that arrived later is
// none, read at the same moment.
func TestStarvedReceiver(t *testing.T) {
	const wait = time.Second
	for _, c := range []struct {
		name       string
		away       time.Duration // the target; a router is half as far
		until      time.Duration // when answers are read again
		lost, late int
		took       time.Duration // by the trace, at least; it takes no 10 ms more
	}{
		{"read at once", 300 * time.Millisecond, 0, 0, 0, 300 * time.Millisecond},
		{"read within the wait", 300 * time.Millisecond, 900 * time.Millisecond, 0, 0, 900 * time.Millisecond},
		{"read after the wait", 900 * time.Millisecond, 1500 * time.Millisecond, 0, 0, 1500 * time.Millisecond},
		{"arrived after the wait", 1200 * time.Millisecond, 1500 * time.Millisecond, 1, 1, 1500 * time.Millisecond},
		{"never read", 300 * time.Millisecond, time.Hour, 2, 0, wait + time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := netsim.Chain(1, c.away)
				network, err := netsim.New(s)
				if err != nil {
					t.Fatal(err)
				}
				transport := &starved{Memory: netsim.NewMemory(network, network.Host()), until: time.Now().Add(c.until)}
				engine := startEngine(t, transport)
				started := time.Now()
				result, err := engine.Trace(t.Context(), prober.Spec{
					Target: netsim.N(65281).For(false), MaxTTL: 2, PacketsPerTTL: 1, Wait: wait,
				})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(started); took < c.took || took > c.took+10*time.Millisecond {
					t.Errorf("took %v, want %v", took, c.took)
				}
				lost := 0
				for _, p := range result.Probes {
					if p.Answer == nil {
						lost++
					} else if want := c.away * time.Duration(p.TTL) / 2; p.Answer.RTT != want {
						t.Errorf("TTL %d: RTT %v, want %v", p.TTL, p.Answer.RTT, want)
					}
				}
				if lost != c.lost || result.Counts.Late != c.late {
					t.Errorf("%d lost, %d late; want %d, %d", lost, result.Counts.Late, c.lost, c.late)
				}
			})
		})
	}
}
