package prober_test

import (
	"fmt"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// wide is a network in memory with several lanes, of which the first is full at
// the beginning. It notes which of them the packets to a target took.
type wide struct {
	*netsim.Memory
	lanes int
	free  time.Time // when the first lane takes packets

	mu    sync.Mutex // guards what follows
	taken map[netip.Addr]map[int]bool
	busy  map[int]bool
}

// Senders implements prober.Transport.
func (w *wide) Senders() []packet.Sender {
	senders := make([]packet.Sender, w.lanes)
	for i := range senders {
		senders[i] = wideSender{w, i}
	}
	return senders
}

// wideSender is one lane.
type wideSender struct {
	host *wide
	lane int
}

// Send implements packet.Sender.
func (s wideSender) Send(packets []packet.Outgoing) (int, error) { return s.host.send(s.lane, packets) }

func (w *wide) send(lane int, packets []packet.Outgoing) (int, error) {
	w.mu.Lock()
	if w.busy[lane] {
		panic(fmt.Sprintf("two sends at once on lane %d", lane))
	}
	w.busy[lane] = true
	for _, p := range packets {
		target, _ := netip.AddrFromSlice(p.Bytes[16:20])
		if w.taken[target] == nil {
			w.taken[target] = map[int]bool{}
		}
		w.taken[target][lane] = true
	}
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy[lane] = false
	}()
	if lane == 0 && time.Now().Before(w.free) {
		return 0, syscall.ENOBUFS
	}
	return w.Send(packets)
}

// TestLanes: a trace keeps to one lane, all lanes are used, and one whose
// queue is full holds up its own traces only.
func TestLanes(t *testing.T) {
	const lanes, traces, busyFor = 3, 60, 200 * time.Millisecond
	synctest.Test(t, func(t *testing.T) {
		scenario := netsim.Chain(5, 10*time.Millisecond)
		scenario.Target.Also = []netip.Prefix{netip.PrefixFrom(netsim.N(5000).For(false), 16)}
		network, err := netsim.New(scenario)
		if err != nil {
			t.Fatal(err)
		}
		w := &wide{
			Memory: netsim.NewMemory(network, network.Host()), lanes: lanes, free: time.Now().Add(busyFor),
			taken: map[netip.Addr]map[int]bool{}, busy: map[int]bool{},
		}
		engine := startEngine(t, w)
		took := make([]time.Duration, traces)
		var running sync.WaitGroup
		for i := range traces {
			running.Go(func() {
				result, err := engine.Trace(t.Context(), traceroute.Spec{Target: netsim.N(5000 + i).For(false), PacketsPerTTL: 10}, prober.Feed{})
				if err != nil {
					t.Error(err)
					return
				}
				took[i] = result.Duration
				if s := stats.Summarize(result); len(s.Hops) != 6 || s.Target.Count != 10 {
					t.Errorf("%d hops, %d answers of the target", len(s.Hops), s.Target.Count)
				}
			})
		}
		running.Wait()
		w.check(t, took, busyFor)
	})
}

func (w *wide) check(t *testing.T, took []time.Duration, busyFor time.Duration) {
	t.Helper()
	used := map[int]bool{}
	for i := range took {
		of := w.taken[netsim.N(5000+i).For(false)]
		if len(of) != 1 {
			t.Errorf("trace %d took %d lanes", i, len(of))
		}
		for lane := range of {
			used[lane] = true
			if slow := took[i] >= busyFor; slow != (lane == 0) {
				t.Errorf("trace %d on lane %d took %v", i, lane, took[i])
			}
		}
	}
	if len(used) != w.lanes {
		t.Errorf("%d lanes were used, want %d", len(used), w.lanes)
	}
}
