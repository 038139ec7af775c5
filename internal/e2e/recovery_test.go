//go:build linux

package e2e

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// faultPatience is how long a trace may take that a fault of the host hits,
// beyond the wait that it was asked for.
const faultPatience = 8 * time.Second

// openEngine starts an engine with the given sockets on a lab's host, and a
// rate, 0 for the daemon's. The caller must close it.
func openEngine(t testing.TB, lab *kernel.Lab, options rawsock.Options, rate float64) (*prober.Engine, *rawsock.Transport) {
	t.Helper()
	var transport *rawsock.Transport
	on(t, lab.Host, func() (err error) { transport, err = rawsock.Open(options); return err })
	engine, err := prober.New(onHost{transport, lab}, prober.Options{Rate: cmp.Or(rate, prober.DefaultRate)})
	if err != nil {
		transport.Close()
		t.Fatal(err)
	}
	return engine, transport
}

// methods are all kinds of trace.
func methods() []traceroute.Method {
	return []traceroute.Method{traceroute.ICMP, traceroute.TCP, traceroute.UDP, traceroute.GRE, traceroute.GREICMP}
}

// together traces both targets, over both families, with all methods at once,
// and holds what comes of it against what a fault does; nil: nothing is wrong.
func (f fork) together(t *testing.T, engine *prober.Engine, fault *hostFault) {
	t.Helper()
	var running sync.WaitGroup
	for _, ipv6 := range []bool{false, true} {
		for _, method := range methods() {
			running.Go(func() {
				result, err := engine.Trace(context.Background(), traceroute.Spec{Target: f.bystander(ipv6), Method: method, Wait: unhurried}, prober.Feed{})
				f.unharmed(t, "bystander", result, err)
			})
			running.Go(func() {
				spec := traceroute.Spec{Target: f.affected(ipv6), Method: method, Wait: unhurried}
				want, hit := fault.hits(method, ipv6)
				if hit && want == 0 {
					spec.Wait = brief
				}
				started := time.Now()
				result, err := engine.Trace(context.Background(), spec, prober.Feed{})
				switch {
				case !hit:
					f.unharmed(t, "affected target", result, err)
				case want == 0:
					f.lost(t, result, err)
				case !errors.Is(err, want):
					t.Errorf("%v to %v: error %v, want %v", method, spec.Target, err, want)
				default:
					t.Logf("%v to %v: %v", method, spec.Target, err)
				}
				if took := time.Since(started); hit && took > spec.Wait+faultPatience {
					t.Errorf("%v to %v took %v", method, spec.Target, took)
				}
			})
		}
	}
	running.Wait()
}

// unharmed demands a whole path without loss.
func (f fork) unharmed(t testing.TB, who string, result *traceroute.Result, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return
	}
	equal(t, f.hops(result.Spec.Method, result.Spec.Target, result.Spec.PacketsPerTTL), shown(result))
	if c := result.Counts; c.Duplicates+c.Late+c.Forged != 0 {
		t.Errorf("%s: %v to %v: counts %+v", who, result.Spec.Method, result.Spec.Target, c)
	}
}

// lost demands a result in which nothing was answered.
func (f fork) lost(t testing.TB, result *traceroute.Result, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
		return
	}
	summary := stats.Summarize(result)
	for _, h := range summary.Hops {
		if h.Lost != h.Sent || h.Sent == 0 {
			t.Errorf("%v to %v, TTL %d: %d of %d lost", result.Spec.Method, result.Spec.Target, h.TTL, h.Lost, h.Sent)
		}
	}
	if len(summary.Hops) != result.Spec.MaxTTL || result.Stop != traceroute.Exhausted {
		t.Errorf("%v to %v: %d hops, stop %d", result.Spec.Method, result.Spec.Target, len(summary.Hops), result.Stop)
	}
}

// Whatever goes wrong on the host, the traces that it hits end with an error
// or with loss, in time; others at the same time notice nothing; and when it
// is over, the same engine goes on as before.
func TestHostFaults(t *testing.T) {
	f := newFork(t)
	ignored := goleak.IgnoreCurrent()
	before := descriptors(t, "self")
	engine, transport := openEngine(t, f.Lab, rawsock.Options{Ports: ports}, 0)
	open := descriptors(t, "self")
	f.together(t, engine, nil)
	for _, fault := range hostFaults() {
		t.Run(fault.name, func(t *testing.T) {
			fault.impose(t, f)
			f.together(t, engine, &fault)
			if fault.lift != nil {
				fault.lift(t, f)
			}
			f.restore(t)
			f.together(t, engine, nil)
		})
	}
	if totals := engine.Totals(); totals.Running+int(totals.Forged+totals.Malformed+totals.ReceiveErrors) != 0 {
		t.Errorf("totals %+v", totals)
	}
	equal(t, open, descriptors(t, "self"))
	if status := transport.Status(); status.Drops+status.Truncated != 0 {
		t.Errorf("status %+v", status)
	}
	if err := engine.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, ignored)
	equal(t, before, descriptors(t, "self"))
}
