package prober_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
)

// scenarioCase is one trace over one scenario file.
type scenarioCase struct {
	file   string
	number int // of the expectation in the file
	method prober.Method
	target netip.Addr
	expect netsim.Expectation
}

func (c scenarioCase) name() string {
	return fmt.Sprintf("%s/%d/%v/%v", strings.TrimSuffix(c.file, ".yaml"), c.number, c.method, familyOf(c.target))
}

func familyOf(target netip.Addr) netsim.Family {
	if target.Is6() {
		return netsim.IPv6
	}
	return netsim.IPv4
}

// load returns the case's scenario, read afresh, a number of times faster.
func (c scenarioCase) load(t *testing.T, faster int) *netsim.Scenario {
	t.Helper()
	s, err := netsim.Load(netsim.Scenarios(), c.file)
	if err != nil {
		t.Fatal(err)
	}
	if faster > 1 {
		s.Hasten(faster)
	}
	return s
}

// scenarioCases lists every file × expectation × method × family.
func scenarioCases(t *testing.T) []scenarioCase {
	t.Helper()
	files, err := netsim.Files(netsim.Scenarios())
	if err != nil {
		t.Fatal(err)
	}
	var cases []scenarioCase
	for _, file := range files {
		s, err := netsim.Load(netsim.Scenarios(), file)
		if err != nil {
			t.Fatal(err)
		}
		for i, expect := range s.Expect {
			for _, name := range expect.Methods {
				method, err := prober.ParseMethod(name)
				if err != nil {
					t.Fatalf("%s: %v", file, err)
				}
				for _, target := range s.Addresses() {
					if len(expect.Families) == 0 || slices.Contains(expect.Families, familyOf(target)) {
						cases = append(cases, scenarioCase{file: file, number: i, method: method, target: target, expect: expect})
					}
				}
			}
		}
	}
	return cases
}

// TestScenarios runs every scenario file in memory under virtual time, for
// each expectation, method and family in it.
func TestScenarios(t *testing.T) {
	for _, c := range scenarioCases(t) {
		t.Run(c.name(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.runInMemory(t) })
		})
	}
}

func (c scenarioCase) runInMemory(t *testing.T) {
	network, err := netsim.New(c.load(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	engine := startEngine(t, netsim.NewMemory(network, network.Host()))
	time.Sleep(c.expect.Start)
	result, err := c.trace(t.Context(), engine)
	c.check(t, result, err)
	if t.Failed() || result == nil {
		return
	}
	for _, hop := range c.hops() {
		checkVirtualRTT(t, result, hop)
	}
}

// trace runs the case's trace.
func (c scenarioCase) trace(ctx context.Context, engine *prober.Engine) (*prober.Result, error) {
	return engine.Trace(ctx, prober.Spec{
		Target: c.target, Method: c.method, MaxTTL: c.expect.MaxTTL,
		PacketsPerTTL: c.expect.Packets, Port: c.expect.Port, Wait: c.expect.Wait,
	})
}

// check holds what a trace came to against what the scenario expects.
func (c scenarioCase) check(t *testing.T, result *prober.Result, err error) {
	t.Helper()
	if want := syscall.Errno(c.expect.Error); want != 0 {
		if !errors.Is(err, want) {
			t.Errorf("error %v, want one that is %v", err, want)
		}
		return
	}
	if err != nil {
		t.Error(err)
		return
	}
	c.compare(t, result)
	consistent(t, result)
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
		_, err = engine.Trace(ctx, prober.Spec{Target: netip.MustParseAddr("198.18.255.1")})
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
