package prober_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// unruly is a carrier that loses, repeats and reorders the answers of another.
// What it loses is settled by a probe's destination, protocol and TTL, so that
// a trace loses the same alone as in company; the rest is chance.
type unruly struct {
	carrier netsim.Carrier
	losses  map[probeClass]bool
	random  *rand.Rand
	most    time.Duration // that an answer is held back
}

type probeClass struct {
	target   netip.Addr
	protocol uint8
	ttl      uint8
}

func classOf(packet []byte) probeClass {
	if packet[0]>>4 == 6 {
		return probeClass{netip.AddrFrom16([16]byte(packet[24:40])), packet[6], packet[7]}
	}
	return probeClass{netip.AddrFrom4([4]byte(packet[16:20])), packet[9], packet[8]}
}

// Receive implements netsim.Carrier.
func (u *unruly) Receive(at time.Duration, packet []byte) []netsim.Delivery {
	if u.losses[classOf(packet)] {
		return nil
	}
	var all []netsim.Delivery
	for _, d := range u.carrier.Receive(at, packet) {
		for range 1 + u.random.IntN(3)*u.random.IntN(2) {
			all = append(all, netsim.Delivery{
				After: d.After + time.Duration(u.random.Int64N(int64(u.most))),
				Bytes: bytes.Clone(d.Bytes),
			})
		}
	}
	return all
}

// finding is what of a result must not hang on company: all but times.
type finding struct {
	Stop  traceroute.Stop
	Hops  []string
	Error string
}

func findingOf(o outcome) finding {
	if o.err != nil {
		return finding{Error: o.err.Error()}
	}
	f := finding{Stop: o.result.Stop}
	for _, h := range stats.Summarize(o.result).Hops {
		line := fmt.Sprintf("%d: %d sent, %d lost", h.TTL, h.Sent, h.Lost)
		for _, n := range h.Nodes {
			line += fmt.Sprintf(", %v %d %v", n.Addr, n.Count, n.Labels)
		}
		f.Hops = append(f.Hops, line)
	}
	return f
}

// TestScenarioCompany: whatever is lost, repeated and reordered, each of
// several traces at once finds what it finds alone.
func TestScenarioCompany(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		specs := drawSpecs(rt, makeDistricts(t, 3, seed))
		losses := drawLosses(rt, specs)
		most := time.Duration(rapid.IntRange(1, 300).Draw(rt, "held back, ms")) * time.Millisecond
		var alone, together []outcome
		synctest.Test(t, func(t *testing.T) {
			var networks []*netsim.Network
			for _, d := range makeDistricts(t, 3, seed) {
				networks = append(networks, d.network)
			}
			carrier := &unruly{netsim.Join(networks...), losses, rand.New(rand.NewPCG(seed, 3)), most}
			engine := startEngine(t, netsim.NewMemory(carrier, networks[0].Host()))
			alone = traceAll(t, engine, specs, 1)
			together = traceAll(t, engine, specs, len(specs))
		})
		for i := range specs {
			if diff := cmp.Diff(findingOf(alone[i]), findingOf(together[i])); diff != "" {
				rt.Errorf("%v to %v (-alone +together):\n%s", specs[i].Method, specs[i].Target, diff)
			}
			for _, o := range []outcome{alone[i], together[i]} {
				if o.err != nil {
					rt.Errorf("%v to %v: %v", specs[i].Method, specs[i].Target, o.err)
					continue
				}
				consistent(t, o.result)
			}
		}
	})
}

// drawSpecs draws traces over the districts: several to the same target, of
// all methods.
func drawSpecs(rt *rapid.T, districts []district) []traceroute.Spec {
	specs := make([]traceroute.Spec, rapid.IntRange(2, 8).Draw(rt, "traces"))
	for i := range specs {
		d := districts[rapid.IntRange(0, len(districts)-1).Draw(rt, "district")]
		specs[i] = traceroute.Spec{
			Target:        d.scenario.Target.Addresses[0].For(rapid.Bool().Draw(rt, "IPv6")),
			Method:        traceroute.ICMP + traceroute.Method(rapid.IntRange(0, 4).Draw(rt, "method")),
			MaxTTL:        rapid.IntRange(1, 20).Draw(rt, "max TTL"),
			PacketsPerTTL: rapid.IntRange(1, 4).Draw(rt, "packets"),
			Wait:          time.Second,
		}
	}
	return specs
}

// drawLosses picks classes of probes that get no answer. A GREICMP trace has
// probes of two protocols; they are drawn one by one like all others.
func drawLosses(rt *rapid.T, specs []traceroute.Spec) map[probeClass]bool {
	protocols := []uint8{1, 6, 17, 47, 58}
	losses := map[probeClass]bool{}
	for range rapid.IntRange(0, 20).Draw(rt, "losses") {
		losses[probeClass{
			target:   specs[rapid.IntRange(0, len(specs)-1).Draw(rt, "of trace")].Target,
			protocol: rapid.SampledFrom(protocols).Draw(rt, "protocol"),
			ttl:      uint8(rapid.IntRange(1, 20).Draw(rt, "TTL")),
		}] = true
	}
	return losses
}

// traceAll runs the traces, so many at once, each a little after the one
// before.
func traceAll(t *testing.T, engine *prober.Engine, specs []traceroute.Spec, atOnce int) []outcome {
	outcomes := make([]outcome, len(specs))
	for at := 0; at < len(specs); at += atOnce {
		var wg sync.WaitGroup
		for i := at; i < min(at+atOnce, len(specs)); i++ {
			wg.Go(func() {
				time.Sleep(time.Duration(i-at) * 7 * time.Millisecond)
				result, err := engine.Trace(t.Context(), specs[i], prober.Feed{})
				outcomes[i] = outcome{result, err}
			})
		}
		wg.Wait()
	}
	return outcomes
}
