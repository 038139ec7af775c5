//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// crowdSize is how many traces run at once; the first half of them goes to
// one address.
const crowdSize = 200

// crowdTopology has two branches that share no address and differ in length:
// an answer credited to the wrong flow makes a path that does not exist.
func crowdTopology() kernel.Topology {
	topology := kernel.Diamond(1, 1, 2, 3)
	topology.Target = endpoint()
	topology.Target.Addresses = 24
	return topology
}

// crowd returns the traces: every way of probing, both families, max TTLs
// that cut the path and such that do not, one to five packets, and echo
// sequences that start anywhere, also near their wrap-around.
func crowd(lab *kernel.Lab) []traceroute.Spec {
	ways := ways()
	specs := make([]traceroute.Spec, crowdSize)
	for i := range specs {
		w := ways[i%len(ways)]
		target := lab.Targets(false)[0]
		if i >= crowdSize/2 {
			targets := lab.Targets(i%3 != 0)
			target = targets[i%len(targets)]
		}
		specs[i] = traceroute.Spec{
			Target: target, Method: w.method, Port: w.port, Wait: unhurried,
			MaxTTL:        [...]int{2, 4, 5, 9, 15}[i/2%5],
			PacketsPerTTL: 1 + i/3%5,
		}
		if w.method == traceroute.ICMP || w.method == traceroute.GREICMP {
			specs[i].Port = 65500 - i%2*65000 + i/8
		}
	}
	return specs
}

// Many traces at once do not take each other's answers, and leave nothing.
func TestCrowd(t *testing.T) {
	lab := kerneltest.Build(t, crowdTopology())
	ignored := goleak.IgnoreCurrent()
	before := descriptors(t, "self")
	s := site{lab, startEngine(t, lab)}

	specs := crowd(lab)
	results := make([]*traceroute.Result, len(specs))
	var running sync.WaitGroup
	together := make(chan struct{})
	for i := range specs {
		running.Go(func() {
			<-together
			result, err := s.engine.Trace(context.Background(), specs[i], prober.Feed{})
			if err != nil {
				t.Errorf("trace %d: %v", i, err)
			}
			results[i] = result
		})
	}
	close(together)
	running.Wait()

	totals := s.engine.Totals()
	if err := s.engine.Close(); err != nil {
		t.Error(err)
	}
	if totals.Forged+totals.Duplicate+totals.Malformed+totals.Refused+totals.ReceiveErrors != 0 || totals.Running != 0 {
		t.Errorf("totals %+v", totals)
	}
	if t.Failed() {
		return
	}
	s.apart(t, specs, results)
	goleak.VerifyNone(t, ignored)
	equal(t, before, descriptors(t, "self"))
}

// apart holds every result against its own spec, and all against each other.
func (s site) apart(t *testing.T, specs []traceroute.Spec, results []*traceroute.Result) {
	t.Helper()
	var sent, answered, beyond uint64
	bound := map[string][]netip.Addr{} // the one path of probes without ports, by target and protocol
	for i, result := range results {
		s.sensible(t, result)
		if got, want := identify(result.Spec), identify(specs[i]); got != want {
			t.Errorf("trace %d: result of %s, want %s", i, got, want)
		}
		beyond += uint64(result.Counts.Beyond)
		sent += uint64(len(result.Probes) + result.Counts.Beyond)
		if result.Counts.Late != 0 {
			t.Errorf("trace %d: %d late answers", i, result.Counts.Late)
		}
		for _, p := range result.Probes {
			if p.Answer == nil {
				t.Errorf("trace %d, %v to %v: no answer at TTL %d, flow %d", i, specs[i].Method, specs[i].Target, p.TTL, p.Flow)
				continue
			}
			answered++
		}
		if err := s.possible(result); err != nil {
			t.Errorf("trace %d: %v", i, err)
		}
		for flow, path := range paths(result) {
			half := result.Spec.Method
			switch {
			case half == traceroute.GREICMP && flow < result.Spec.PacketsPerTTL:
				half = traceroute.GRE
			case half == traceroute.GREICMP:
				half = traceroute.ICMP
			case half != traceroute.GRE && half != traceroute.ICMP:
				continue
			}
			key := fmt.Sprint(half, result.Spec.Target)
			both := min(len(path), len(bound[key]))
			if !slices.Equal(path[:both], bound[key][:both]) {
				t.Errorf("trace %d, %v to %v: flow %d took %v, others %v", i, result.Spec.Method, result.Spec.Target, flow, path, bound[key])
			}
			if len(path) > both {
				bound[key] = path
			}
		}
	}
	totals := s.engine.Totals()
	// A trace does not wait for what went past its target.
	if totals.Late > beyond {
		t.Errorf("%d answers came after their traces, which sent %d probes past their targets", totals.Late, beyond)
	}
	if totals.Sent != sent || totals.Matched < answered {
		t.Errorf("the engine sent %d and matched %d, the results hold %d and %d", totals.Sent, totals.Matched, sent, answered)
	}
}

// identify is what a caller knows its trace by.
func identify(s traceroute.Spec) string {
	return fmt.Sprint(s.Method, s.Target, s.MaxTTL, s.PacketsPerTTL)
}

// possible returns an error when a flow's path is not one of the lab's to the
// trace's target, as far as max TTL, or the other half of a GREICMP trace,
// lets it be followed.
func (s site) possible(result *traceroute.Result) error {
	spec := result.Spec
	all := s.Paths(spec.Target.Is6())
	for _, p := range all {
		p[len(p)-1] = spec.Target
	}
	reached := false
	for flow, path := range paths(result) {
		i := slices.IndexFunc(all, func(p []netip.Addr) bool {
			return len(p) >= len(path) && slices.Equal(p[:len(path)], path)
		})
		if i < 0 {
			return fmt.Errorf("%v to %v: flow %d took %v, possible are %v", spec.Method, spec.Target, flow, path, all)
		}
		arrived := len(path) == len(all[i])
		reached = reached || arrived
		if !arrived && len(path) < spec.MaxTTL && spec.Method != traceroute.GREICMP {
			return fmt.Errorf("%v to %v: flow %d ends after %v", spec.Method, spec.Target, flow, path)
		}
	}
	if reached != (result.Stop == traceroute.Reached) {
		return fmt.Errorf("%v to %v: stop %d, but reached %t", spec.Method, spec.Target, result.Stop, reached)
	}
	return nil
}

// descriptors returns what a process has open, by kind, without the files in
// which Go's runtime now and then looks up how many processors it has.
func descriptors(t testing.TB, process string) map[string]int {
	t.Helper()
	folder := "/proc/" + process + "/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	open := map[string]int{}
	for _, entry := range entries {
		name, err := os.Readlink(folder + "/" + entry.Name())
		if err != nil {
			continue // the folder itself
		}
		if strings.HasPrefix(name, "/sys/") {
			continue
		}
		kind, _, _ := strings.Cut(name, ":[") // socket:[12345]
		open[kind]++
	}
	return open
}
