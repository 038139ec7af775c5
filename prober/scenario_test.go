package prober_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// scenarioCase is one trace over one scenario file.
type scenarioCase struct {
	file   string
	number int // of the expectation in the file
	method traceroute.Method
	target netip.Addr
	expect netsim.Expectation
}

// name is the case's within its file.
func (c scenarioCase) name() string {
	return fmt.Sprintf("%d/%v/%v", c.number, c.method, familyOf(c.target))
}

func familyOf(target netip.Addr) netsim.Family {
	if target.Is6() {
		return netsim.IPv6
	}
	return netsim.IPv4
}

// scenarioFile is a scenario with all the traces that it expects something
// of: expectation × method × family.
type scenarioFile struct {
	name     string
	scenario *netsim.Scenario
	cases    []scenarioCase
}

// scenarioFiles reads all scenarios, a number of times faster than they are.
func scenarioFiles(t *testing.T, faster int) []scenarioFile {
	t.Helper()
	names, err := netsim.Files(netsim.Scenarios())
	if err != nil || len(names) < 120 {
		t.Fatalf("%d scenarios: %v", len(names), err)
	}
	var files []scenarioFile
	for _, name := range names {
		s, err := netsim.Load(netsim.Scenarios(), name)
		if err != nil {
			t.Fatal(err)
		}
		if faster > 1 {
			s.Hasten(faster)
		}
		file := scenarioFile{name: name, scenario: s}
		for i, expect := range s.Expect {
			for _, word := range expect.Methods {
				method, err := traceroute.ParseMethod(word)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for _, target := range s.Addresses() {
					if len(expect.Families) == 0 || slices.Contains(expect.Families, familyOf(target)) {
						file.cases = append(file.cases, scenarioCase{file: name, number: i, method: method, target: target, expect: expect})
					}
				}
			}
		}
		files = append(files, file)
	}
	return files
}

// outcome is what a trace came to.
type outcome struct {
	result *traceroute.Result
	err    error
}

// TestScenarios runs every scenario file in memory under virtual time, for
// each expectation, method and family in it.
func TestScenarios(t *testing.T) {
	for _, f := range scenarioFiles(t, 1) {
		t.Run(strings.TrimSuffix(f.name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			for i, o := range f.runInMemory(t) {
				c := f.cases[i]
				t.Run(c.name(), func(t *testing.T) {
					c.check(t, o)
					if o.result == nil {
						return
					}
					for _, hop := range c.hops() {
						checkVirtualRTT(t, o.result, hop)
					}
				})
			}
		})
	}
}

// runInMemory runs each case on a network of its own. Cases share an engine,
// which sees one after the other, unless their host misbehaves by a count of
// packets or by time.
func (f scenarioFile) runInMemory(t *testing.T) []outcome {
	t.Helper()
	outcomes := make([]outcome, len(f.cases))
	batch := len(f.cases)
	if !reflect.DeepEqual(f.scenario.Host, netsim.Host{}) {
		batch = 1
	}
	for at := 0; at < len(f.cases); at += batch {
		cases := f.cases[at:min(at+batch, len(f.cases))]
		synctest.Test(t, func(t *testing.T) {
			first := newNetwork(t, f.scenario)
			networks := &succession{start: time.Now()}
			engine := startEngine(t, netsim.NewMemory(networks, first.Host()))
			for i, c := range cases {
				networks.replace(newNetwork(t, f.scenario))
				time.Sleep(c.expect.Start)
				outcomes[at+i] = c.trace(t.Context(), engine)
				time.Sleep(traceroute.MaxWait) // names have rested, late answers come
			}
		})
	}
	return outcomes
}

func newNetwork(t *testing.T, s *netsim.Scenario) *netsim.Network {
	t.Helper()
	network, err := netsim.New(s)
	if err != nil {
		t.Fatal(err)
	}
	return network
}

// succession is one network after the other behind one transport; each one's
// time begins when it takes over.
type succession struct {
	start time.Time // of the transport

	mu      sync.Mutex // guards what follows
	network *netsim.Network
	since   time.Duration
}

func (s *succession) replace(network *netsim.Network) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.network, s.since = network, time.Since(s.start)
}

// Receive implements netsim.Carrier.
func (s *succession) Receive(at time.Duration, packet []byte) []netsim.Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.network.Receive(at-s.since, packet)
}

// trace runs the case's trace.
func (c scenarioCase) trace(ctx context.Context, engine *prober.Engine) outcome {
	result, err := engine.Trace(ctx, traceroute.Spec{
		Target: c.target, Method: c.method, MaxTTL: c.expect.MaxTTL,
		PacketsPerTTL: c.expect.Packets, Port: c.expect.Port, Wait: c.expect.Wait,
	}, prober.Feed{})
	return outcome{result, err}
}

// check holds what a trace came to against what the scenario expects.
func (c scenarioCase) check(t *testing.T, o outcome) {
	t.Helper()
	if want := syscall.Errno(c.expect.Error); want != 0 {
		if !errors.Is(o.err, want) {
			t.Errorf("error %v, want one that is %v", o.err, want)
		}
		return
	}
	if o.err != nil {
		t.Error(o.err)
		return
	}
	c.compare(t, o.result)
	consistent(t, o.result)
}

// startEngine returns an engine without limits of rate, closed by the test's
// end.
func startEngine(t *testing.T, transport prober.Transport) *prober.Engine {
	t.Helper()
	engine, err := prober.New(transport, prober.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return engine
}

// TestCancel: when the caller is gone, no further probe leaves.
func TestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network, err := netsim.New(netsim.Chain(20, 200*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		memory := netsim.NewMemory(network, network.Host())
		engine := startEngine(t, memory)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		started := time.Now()
		_, err = engine.Trace(ctx, traceroute.Spec{Target: netip.MustParseAddr("198.18.255.1")}, prober.Feed{})
		if err == nil || time.Since(started) != 30*time.Millisecond {
			t.Fatalf("cancelled after %v: %v", time.Since(started), err)
		}
		atCancel := memory.Counts().Sent
		time.Sleep(5 * time.Second)
		if now := memory.Counts().Sent; now != atCancel || atCancel == 0 {
			t.Errorf("%d probes sent when cancelled, %d later", atCancel, now)
		}
	})
}
