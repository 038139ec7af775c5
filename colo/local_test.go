package colo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"probe-agent/internal/panics"
	"probe-agent/lookup"
	"probe-agent/policy"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	_ Tracer   = (*prober.Engine)(nil)
	_ Resolver = (*lookup.Service)(nil)
	_ Resolver = (*net.Resolver)(nil)
	_ Policy   = (*policy.Policy)(nil)
)

type fakeResolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f fakeResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

type fakeTracer func(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error)

func (f fakeTracer) TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error) {
	return f(ctx, spec, targets, feed)
}

// echoSpec traces nothing and gives the spec back.
func echoSpec(_ context.Context, spec traceroute.Spec, targets []netip.Addr, _ prober.Feed) (*traceroute.Result, error) {
	spec.Target = targets[0]
	return &traceroute.Result{Spec: spec, Duration: time.Second}, nil
}

func addrs(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

// trace has the colo trace a batch and returns the events and Trace's error.
func trace(ctx context.Context, l *Local, batch traceroute.Batch) ([]traceroute.Event, error) {
	events := make(chan traceroute.Event)
	var all []traceroute.Event
	var err error
	go func() {
		defer close(events)
		err = l.Trace(ctx, batch, events)
	}()
	for e := range events {
		all = append(all, e)
	}
	return all, err
}

// traceOne has the colo trace one target and returns what came of it.
func traceOne(ctx context.Context, t *testing.T, l *Local, target string, spec traceroute.Spec) *traceroute.Outcome {
	t.Helper()
	events, err := trace(ctx, l, traceroute.Batch{Targets: []string{target}, Spec: spec})
	if err != nil || len(events) == 0 || events[len(events)-1].Outcome == nil {
		t.Fatalf("events %+v, error %v", events, err)
	}
	return events[len(events)-1].Outcome
}

func TestResolves(t *testing.T) {
	const both, ip4, ip6 = traceroute.AnyFamily, traceroute.IPv4Only, traceroute.IPv6Only
	zone := map[string][]netip.Addr{
		"both.example":          addrs("2001:db8::1", "192.0.2.1", "192.0.2.2"),
		"mapped.example":        addrs("::ffff:192.0.2.1"),
		"xn--bcher-kva.example": addrs("192.0.2.9"),
		"v6.example":            addrs("2001:db8::6"),
		"any.example":           addrs("0.0.0.0"),
		"multicast.exampl":      addrs("224.0.0.1"),
	}
	faults := map[string]*net.DNSError{
		"none.example":   {Err: "no such host", IsNotFound: true},
		"dead.example":   {Err: "i/o timeout", IsTimeout: true},
		"broken.example": {Err: "server misbehaving"},
	}
	networks := [...]string{both: "ip", ip4: "ip4", ip6: "ip6"}
	tests := []struct {
		target string
		family traceroute.Family
		want   string // address traced, or the failure
	}{
		{"192.0.2.7", both, "192.0.2.7"},
		{"192.0.2.7", ip4, "192.0.2.7"},
		{"192.0.2.7", ip6, "unresolved: not an IPv6 address"},
		{"2001:db8::7", ip6, "2001:db8::7"},
		{"2001:db8::7", ip4, "unresolved: not an IPv4 address"},
		{"::ffff:192.0.2.7", both, "192.0.2.7"},
		{"fe80::1%eth0", both, "unresolved: the target must be an address without a zone (%…)"},
		{"both.example", both, "2001:db8::1"},
		{"both.example", ip4, "192.0.2.1"},
		{"bücher.example", both, "192.0.2.9"},
		{"both.example", ip6, "2001:db8::1"},
		{"mapped.example", both, "192.0.2.1"},
		{"mapped.example", ip6, "unresolved: no such host with an IPv6 address"},
		{"v6.example", ip4, "unresolved: no such host with an IPv4 address"},
		{"none.example", both, "unresolved: no such host"},
		{"dead.example", both, "unresolved: the name server did not answer in time"},
		{"broken.example", both, "unresolved: the name could not be resolved"},
		{"any.example", both, "forbidden: its address is not the address of a host"},
		{"multicast.exampl", both, "forbidden: its address is not the address of a host"},
		{"ff02::1", both, "forbidden: ff02::1 is not the address of a host"},
		{"255.255.255.255", both, "forbidden: 255.255.255.255 is not the address of a host"},
	}
	for i := range 2 * len(tests) {
		// The family is the colo's own or the one requested: it is the same.
		tt, requested := tests[i/2], i%2 == 1
		t.Run(fmt.Sprintf("%s/%s/requested=%t", tt.target, networks[tt.family], requested), func(t *testing.T) {
			c := Config{Tracer: fakeTracer(echoSpec), Resolver: fakeResolver(func(_ context.Context, network, host string) ([]netip.Addr, error) {
				if network != networks[tt.family] {
					t.Errorf("resolves for network %q", network)
				}
				if fault := faults[host]; fault != nil {
					return nil, fault
				}
				return zone[host], nil
			})}
			spec := traceroute.Spec{Method: traceroute.UDP, MaxTTL: 7}
			if requested {
				spec.Family = tt.family
			} else {
				c.Family = tt.family
			}
			o := traceOne(t.Context(), t, New(c), tt.target, spec)
			if got := describe(o); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if o.Result != nil && (o.Result.Spec.Method != traceroute.UDP || o.Result.Spec.MaxTTL != 7 || o.Took != time.Second) {
				t.Errorf("traced %+v, took %v", o.Result.Spec, o.Took)
			}
		})
	}
}

func describe(o *traceroute.Outcome) string {
	if o.Failure != nil {
		return fmt.Sprintf("%v: %s", o.Failure.Code, o.Failure.Reason)
	}
	return o.Result.Spec.Target.String()
}

func TestOtherFailures(t *testing.T) {
	noRoute := fakeTracer(func(context.Context, traceroute.Spec, []netip.Addr, prober.Feed) (*traceroute.Result, error) {
		return nil, errors.New("prober: no route to 192.0.2.1")
	})
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cut, end := context.WithCancelCause(t.Context())
	end(&traceroute.Failure{Code: traceroute.TimedOut, Reason: "cut short"})
	tests := map[string]struct {
		ctx    context.Context
		family traceroute.Family // the colo's own
		spec   traceroute.Spec
		want   string
	}{
		"no route":       {t.Context(), traceroute.AnyFamily, traceroute.Spec{}, "unsent: could not send: no route to 192.0.2.1"},
		"out of range":   {t.Context(), traceroute.AnyFamily, traceroute.Spec{MaxTTL: 65}, "unsent: could not send: max TTL 65 is not in 1 to 64"},
		"another family": {t.Context(), traceroute.IPv4Only, traceroute.Spec{Family: traceroute.IPv6Only}, "unresolved: this colo traces ipv4 only"},
		"context":        {gone, traceroute.AnyFamily, traceroute.Spec{}, "timed-out: did not answer in time"},
		"its cause":      {cut, traceroute.AnyFamily, traceroute.Spec{}, "timed-out: cut short"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := traceOne(tt.ctx, t, New(Config{Tracer: noRoute, Family: tt.family}), "192.0.2.1", tt.spec)
			if got := describe(o); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

// Every address that may be probed is a candidate: the engine knows which it can
// send to. All targets of a batch are traced at once.
func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		resolver := fakeResolver(func(context.Context, string, string) ([]netip.Addr, error) {
			return addrs("224.0.0.1", "2001:db8::1", "0.0.0.0", "192.0.2.1"), nil
		})
		tracer := fakeTracer(func(_ context.Context, spec traceroute.Spec, targets []netip.Addr, _ prober.Feed) (*traceroute.Result, error) {
			time.Sleep(time.Second)
			spec.Target = targets[len(targets)-1]
			return &traceroute.Result{Spec: spec}, nil
		})
		started := time.Now()
		events, err := trace(t.Context(), New(Config{Tracer: tracer, Resolver: resolver}), traceroute.Batch{Targets: []string{"both.example", "10.0.0.1", "ff02::1"}})
		if err != nil || time.Since(started) != time.Second || len(events) != 3 {
			t.Fatalf("%d events, error %v, took %v", len(events), err, time.Since(started))
		}
		slices.SortFunc(events, func(a, b traceroute.Event) int { return a.Target - b.Target })
		for i, want := range []string{"192.0.2.1", "10.0.0.1", "forbidden: ff02::1 is not the address of a host"} {
			if got := describe(events[i].Outcome); got != want {
				t.Errorf("target %d: %s, want %s", i, got, want)
			}
		}
	})
}

// A resolver that hangs costs its own timeout, not the whole request's.
func TestSlowResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := fakeResolver(func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		local := New(Config{Tracer: fakeTracer(echoSpec), Resolver: hang})
		o := traceOne(t.Context(), t, local, "slow.example", traceroute.Spec{})
		if describe(o) != "unresolved: the name server did not answer in time" || o.Took != resolveTimeout {
			t.Errorf("%s after %v", describe(o), o.Took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if o := traceOne(ctx, t, local, "slow.example", traceroute.Spec{}); describe(o) != "timed-out: did not answer in time" {
			t.Errorf("%s when the trace's own time is over", describe(o))
		}
	})
}

// A panic ends all traces of the batch and is the error of Trace.
func TestPanics(t *testing.T) {
	ok := fakeResolver(func(context.Context, string, string) ([]netip.Addr, error) { return addrs("192.0.2.1"), nil })
	stuck := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	tests := map[string]Config{
		"tracer": {Resolver: ok, Tracer: fakeTracer(func(ctx context.Context, _ traceroute.Spec, targets []netip.Addr, _ prober.Feed) (*traceroute.Result, error) {
			if targets[0] == netip.MustParseAddr("192.0.2.1") {
				panic("broken")
			}
			return nil, stuck(ctx)
		})},
		"resolver": {
			Resolver: fakeResolver(func(context.Context, string, string) ([]netip.Addr, error) { panic("broken") }),
			Tracer: fakeTracer(func(ctx context.Context, _ traceroute.Spec, _ []netip.Addr, _ prober.Feed) (*traceroute.Result, error) {
				return nil, stuck(ctx)
			}),
		},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := trace(t.Context(), New(c), traceroute.Batch{Targets: []string{"192.0.2.2", "host.example", "192.0.2.3"}, Live: true})
				if caught, ok := errors.AsType[*panics.Error](err); !ok || caught.Value != "broken" {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
