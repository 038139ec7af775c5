package prober_test

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// What the Updates of a trace add up to is what its Result has, however slowly
// they are received, and each responder is reported once for each TTL.
func TestFeed(t *testing.T) {
	for _, method := range []traceroute.Method{traceroute.ICMP, traceroute.UDP, traceroute.TCP, traceroute.GREICMP} {
		for _, pause := range []time.Duration{0, 130 * time.Millisecond} {
			synctest.Test(t, func(t *testing.T) { followFeed(t, method, pause) })
		}
	}
}

func followFeed(t *testing.T, method traceroute.Method, pause time.Duration) {
	scenario := netsim.Chain(5, 400*time.Millisecond)
	scenario.Hops[2].Silent = true
	network, err := netsim.New(scenario)
	if err != nil {
		t.Fatal(err)
	}
	engine := startEngine(t, netsim.NewMemory(network, network.Host()))
	updates, responders := make(chan prober.Update, 1), make(chan prober.Responder, 64)
	shown := make(map[uint8][]traceroute.Probe)
	received := make(chan int)
	go func() {
		n, last := 0, time.Time{}
		for u := range updates {
			if now := time.Now(); pause == 0 && n > 0 && now.Sub(last) < 50*time.Millisecond {
				t.Errorf("%v: two updates within %v", method, now.Sub(last))
			}
			n, last = n+1, time.Now()
			for _, ttl := range u.TTLs {
				shown[ttl] = slices.DeleteFunc(slices.Clone(u.Probes), func(p traceroute.Probe) bool { return p.TTL != ttl })
			}
			time.Sleep(pause)
		}
		received <- n
	}()
	spec := traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), Method: method, PacketsPerTTL: 2}
	result, err := engine.Trace(t.Context(), spec, prober.Feed{Responders: responders, Updates: updates})
	if err != nil {
		t.Fatal(err)
	}
	close(updates)
	close(responders)
	if n := <-received; n < 3 {
		t.Errorf("%v: %d updates", method, n)
	}
	// The silent hop is waited for longest, so all answers had an Update.
	var got []traceroute.Probe
	for ttl := range uint8(traceroute.MaxTTLLimit) {
		got = append(got, shown[ttl+1]...)
	}
	if diff := cmp.Diff(result.Probes, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("%v, received every %v (-result +updates):\n%s", method, pause, diff)
	}
	halves := 1
	if method == traceroute.GREICMP {
		halves = 2
	}
	seen := make(map[traceroute.Responder]int)
	for r := range responders {
		if seen[r.Responder]++; seen[r.Responder] > halves && r.TTL != 0 {
			t.Errorf("%v: %v reported %d times", method, r, seen[r.Responder])
		}
	}
	if len(seen) < 4 {
		t.Errorf("%v: responders %v", method, seen)
	}
}

// With a full channel nothing waits, and a cancelled trace leaves nothing held.
func TestFeedNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, err := netsim.New(netsim.Chain(5, 100*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		engine := startEngine(t, netsim.NewMemory(network, network.Host()))
		feed := prober.Feed{Responders: make(chan prober.Responder), Updates: make(chan prober.Update)}
		started := time.Now()
		r, err := engine.Trace(t.Context(), traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1")}, feed)
		if err != nil || r.Stop != traceroute.Reached || time.Since(started) > 300*time.Millisecond {
			t.Errorf("%+v, %v after %v", r, err, time.Since(started))
		}
	})
}
