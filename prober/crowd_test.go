package prober_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// district is one network of a crowd: a chain of its own length, whose
// addresses no other network has.
type district struct {
	scenario *netsim.Scenario
	network  *netsim.Network
	routers  int
	first    int // number of its first router
}

// makeDistricts lays networks of 1 to 14 routers side by side, with jitter,
// duplicates and answers that come after their probe's wait.
func makeDistricts(t *testing.T, count int, seed uint64) []district {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	districts := make([]district, count)
	for i := range districts {
		n := 1 + random.IntN(14)
		s := netsim.Chain(n, time.Duration(1+random.IntN(90))*time.Millisecond)
		s.Seed = seed + uint64(i)
		first := 1000 * (i + 1)
		for h := range s.Hops {
			s.Hops[h].Addresses = []netsim.Address{netsim.N(first + h)}
			s.Hops[h].Jitter = time.Duration(random.IntN(8)) * time.Millisecond
			if random.IntN(4) == 0 {
				s.Hops[h].Duplicate = &netsim.Duplicate{Copies: 1}
			}
		}
		s.Target.Addresses = []netsim.Address{netsim.N(first + 999)}
		network, err := netsim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		districts[i] = district{scenario: s, network: network, routers: n, first: first}
	}
	return districts
}

// TestCrowd runs hundreds of traces at once, half of them to one target. Each
// must find its own path, whole and without loss: what one trace is answered
// never reaches another.
func TestCrowd(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runCrowd(t, seed) })
		})
	}
}

func runCrowd(t *testing.T, seed uint64) {
	districts := makeDistricts(t, 12, seed)
	networks := make([]*netsim.Network, len(districts))
	for i := range districts {
		networks[i] = districts[i].network
	}
	engine := startEngine(t, netsim.NewMemory(netsim.Join(networks...), networks[0].Host()))
	random := rand.New(rand.NewPCG(seed, 2))
	var wg sync.WaitGroup
	for i := range 200 {
		d := districts[0]
		if i%2 == 1 {
			d = districts[random.IntN(len(districts))]
		}
		v6 := random.IntN(2) == 1
		spec := traceroute.Spec{
			Target:        d.scenario.Target.Addresses[0].For(v6),
			Method:        traceroute.ICMP + traceroute.Method(random.IntN(5)),
			MaxTTL:        1 + random.IntN(20),
			PacketsPerTTL: 1 + random.IntN(4),
			Wait:          time.Second,
		}
		pause := time.Duration(random.IntN(200)) * time.Millisecond
		wg.Go(func() {
			time.Sleep(pause)
			result, err := engine.Trace(t.Context(), spec, prober.Feed{})
			if err != nil {
				t.Errorf("%+v: %v", spec, err)
				return
			}
			consistent(t, result)
			d.check(t, result, v6)
		})
	}
	wg.Wait()
	if total := engine.Totals(); total.Forged+total.Foreign+total.Malformed > 0 || total.Running > 0 {
		t.Errorf("totals %+v", total)
	}
}

// check holds a result against the district that its target is in.
func (d district) check(t *testing.T, r *traceroute.Result, v6 bool) {
	t.Helper()
	length := min(d.routers+1, r.Spec.MaxTTL)
	s := stats.Summarize(r)
	if len(s.Hops) != length {
		t.Errorf("%v to %v: %d hops, want %d", r.Spec.Method, r.Spec.Target, len(s.Hops), length)
		return
	}
	for i, hop := range s.Hops {
		want := r.Spec.Target
		if i < d.routers {
			want = netsim.N(d.first + i).For(v6)
		}
		perNode := r.Spec.PacketsPerTTL
		nodes := 1
		if r.Spec.Method == traceroute.GREICMP {
			nodes = 2
		}
		if hop.Lost != 0 || hop.Sent != nodes*perNode || len(hop.Nodes) != nodes {
			t.Errorf("%v to %v, TTL %d: %+v, want %d nodes of %d", r.Spec.Method, r.Spec.Target, hop.TTL, hop, nodes, perNode)
			continue
		}
		for _, n := range hop.Nodes {
			if n.Addr != want || n.Count != perNode {
				t.Errorf("%v to %v, TTL %d: %v answered %d, want %v %d", r.Spec.Method, r.Spec.Target, hop.TTL, n.Addr, n.Count, want, perNode)
			}
		}
	}
}

// TestSteppedClock: whatever the wall clock does in the middle of a trace, no
// RTT is off by more than the time that the monotonic clock saw.
func TestSteppedClock(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour, 40 * time.Millisecond, -40 * time.Millisecond} {
		t.Run(step.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const rtt = 80 * time.Millisecond
				s := netsim.Chain(7, rtt)
				s.Host.Steps = []netsim.ClockStep{{At: 35 * time.Millisecond, By: step}}
				network, err := netsim.New(s)
				if err != nil {
					t.Fatal(err)
				}
				engine := startEngine(t, netsim.NewMemory(network, network.Host()))
				result, err := engine.Trace(t.Context(), traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1")}, prober.Feed{})
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range result.Probes {
					want := rtt * time.Duration(p.TTL) / 8
					if p.Answer == nil || (p.Answer.RTT-want).Abs() > time.Microsecond {
						t.Errorf("TTL %d flow %d: %+v, want an RTT of %v", p.TTL, p.Flow, p.Answer, want)
					}
				}
			})
		})
	}
}

// TestNearHopRate: many traces that share a first router keep its rate, on the
// wire, and use most of it.
func TestNearHopRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate, traces = 200, 300
		s := netsim.Chain(2, 10*time.Millisecond)
		network, err := netsim.New(s)
		if err != nil {
			t.Fatal(err)
		}
		memory := netsim.NewMemory(network, network.Host())
		engine, err := prober.New(memory, prober.Options{NearHopRate: rate})
		if err != nil {
			t.Fatal(err)
		}
		defer engine.Close()
		started := time.Now()
		var wg sync.WaitGroup
		for range traces {
			wg.Go(func() {
				if _, err := engine.Trace(t.Context(), traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1"), PacketsPerTTL: 1}, prober.Feed{}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		// One packet of each trace to each of three TTLs, each at its rate.
		least := time.Duration(traces) * time.Second / rate
		if took := time.Since(started); took < least*98/100 || took > least*3/2 {
			t.Errorf("took %v, at the full rate it is %v", took, least)
		}
	})
}
