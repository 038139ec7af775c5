package prober_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// watched is a transport that notes when packets leave.
type watched struct {
	*netsim.Memory
	mu   sync.Mutex
	left []time.Time
}

// Senders implements prober.Transport.
func (w *watched) Senders() []packet.Sender { return []packet.Sender{w} }

// Send notes what the network takes.
func (w *watched) Send(packets []packet.Outgoing) (int, error) {
	n, err := w.Memory.Send(packets)
	w.mu.Lock()
	defer w.mu.Unlock()
	for range n {
		w.left = append(w.left, time.Now())
	}
	return n, err
}

// busiest returns the most packets that left within a second.
func (w *watched) busiest() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	most, first := 0, 0
	for i := range w.left {
		for w.left[i].Sub(w.left[first]) >= time.Second {
			first++
		}
		most = max(most, i+1-first)
	}
	return most
}

// oneNetwork is chains to targets of one prefix, and an engine before them.
func oneNetwork(t *testing.T, targets int, rate float64) (*prober.Engine, *watched) {
	t.Helper()
	networks := make([]*netsim.Network, targets)
	for i := range networks {
		s := netsim.Chain(11, 40*time.Millisecond)
		s.Target.Addresses = []netsim.Address{netsim.N(0xff01 + i)}
		network, err := netsim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		networks[i] = network
	}
	w := &watched{Memory: netsim.NewMemory(netsim.Join(networks...), networks[0].Host())}
	engine, err := prober.New(w, prober.Options{Rate: prober.DefaultRate, PrefixRate: rate})
	if err != nil {
		t.Fatal(err)
	}
	return engine, w
}

// TestPrefixCeiling: whoever asks, and for whichever address of a network, no
// more probes go there within any second, none is lost by it, and most of the
// ceiling is used.
func TestPrefixCeiling(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			const ceiling, traces, targets = 200, 60, 20
			engine, w := oneNetwork(t, targets, ceiling)
			defer engine.Close()
			started := time.Now()
			var wg sync.WaitGroup
			for i := range traces {
				wg.Go(func() {
					target := netsim.N(0xff01 + i%targets).For(v6)
					r, err := engine.Trace(t.Context(), traceroute.Spec{Target: target, Method: traceroute.ICMP + traceroute.Method(i%3)}, prober.Feed{})
					if err != nil || r.Stop != traceroute.Reached {
						t.Errorf("%v: %+v, %v", target, r, err)
					}
				})
			}
			wg.Wait()
			took := time.Since(started)
			total := engine.Totals()
			if most := w.busiest(); most > ceiling {
				t.Errorf("%d probes within a second, ceiling %d", most, ceiling)
			}
			// The last second need not be full.
			if least := float64(total.Sent) / (took.Seconds() + 1); least < ceiling*0.8 {
				t.Errorf("%d probes took %v, %.0f a second", total.Sent, took, least)
			}
			if total.PrefixWaits == 0 || total.Running != 0 {
				t.Errorf("totals %+v", total)
			}
			// Waiting is sleeping: a trace looks again when something may have
			// changed, once a step.
			if most := uint64(took/(25*time.Millisecond)+2)*traces + total.Sent; total.PrefixWaits > most {
				t.Errorf("%d waits in %v", total.PrefixWaits, took)
			}
		})
	}
}

// TestPrefixCeilingSparesOrdinaryRequests: at the default, ten traces to one
// network take exactly as long as without a ceiling.
func TestPrefixCeilingSparesOrdinaryRequests(t *testing.T) {
	var durations [2]time.Duration
	for i, rate := range []float64{0, prober.DefaultPrefixRate} {
		synctest.Test(t, func(t *testing.T) {
			engine, _ := oneNetwork(t, 10, rate)
			defer engine.Close()
			started := time.Now()
			var wg sync.WaitGroup
			for target := range 10 {
				wg.Go(func() {
					if _, err := engine.Trace(t.Context(), traceroute.Spec{Target: netsim.N(0xff01 + target).For(false), PacketsPerTTL: 5}, prober.Feed{}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			durations[i] = time.Since(started)
			if total := engine.Totals(); total.PrefixWaits != 0 {
				t.Errorf("%d waits", total.PrefixWaits)
			}
		})
	}
	if durations[1] > durations[0]*11/10 {
		t.Errorf("took %v, without ceiling %v", durations[1], durations[0])
	}
}

// TestPrefixCeilingCancel: a trace that waits for its prefix ends with its
// context, and sends nothing more.
func TestPrefixCeilingCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine, w := oneNetwork(t, 1, 5)
		defer engine.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		started := time.Now()
		if _, err := engine.Trace(ctx, traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1")}, prober.Feed{}); err == nil || time.Since(started) != 100*time.Millisecond {
			t.Errorf("error %v after %v", err, time.Since(started))
		}
		time.Sleep(10 * time.Second)
		if len(w.left) != 5 {
			t.Errorf("%d probes sent, want 5", len(w.left))
		}
	})
}
