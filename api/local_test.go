package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/lookup"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

type fakeResolver func(ctx context.Context, network, host string) ([]netip.Addr, error)

func (f fakeResolver) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return f(ctx, network, host)
}

type fakeTracer func(ctx context.Context, spec traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error)

func (f fakeTracer) TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, _ prober.Feed) (*traceroute.Result, error) {
	return f(ctx, spec, targets)
}

var (
	_ Tracer   = (*prober.Engine)(nil)
	_ Resolver = (*lookup.Service)(nil)
	_ Resolver = (*net.Resolver)(nil)
	_ Colo     = (*Local)(nil)
)

// echoSpec traces nothing and gives the spec back.
func echoSpec(_ context.Context, spec traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error) {
	spec.Target = targets[0]
	return &traceroute.Result{Spec: spec}, nil
}

func TestLocalResolves(t *testing.T) {
	zone := map[string][]netip.Addr{
		"both.example":          {netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")},
		"mapped.example":        {netip.MustParseAddr("::ffff:192.0.2.1")},
		"xn--bcher-kva.example": {netip.MustParseAddr("192.0.2.9")},
		"v6.example":            {netip.MustParseAddr("2001:db8::6")},
		"any.example":           {netip.MustParseAddr("0.0.0.0")},
		"multicast.exampl":      {netip.MustParseAddr("224.0.0.1")},
	}
	networks := [...]string{AnyFamily: "ip", IPv4Only: "ip4", IPv6Only: "ip6"}
	tests := []struct {
		target string
		family Family
		want   string // address traced, or the reason of the failure
		code   FailureCode
	}{
		{"192.0.2.7", AnyFamily, "192.0.2.7", 0},
		{"192.0.2.7", IPv4Only, "192.0.2.7", 0},
		{"192.0.2.7", IPv6Only, "not an IPv6 address", Unresolved},
		{"2001:db8::7", IPv6Only, "2001:db8::7", 0},
		{"2001:db8::7", IPv4Only, "not an IPv4 address", Unresolved},
		{"::ffff:192.0.2.7", AnyFamily, "192.0.2.7", 0},
		{"fe80::1%eth0", AnyFamily, "the target must be an address without a zone (%…)", Unresolved},
		{"both.example", AnyFamily, "2001:db8::1", 0},
		{"both.example", IPv4Only, "192.0.2.1", 0},
		{"bücher.example", AnyFamily, "192.0.2.9", 0},
		{"both.example", IPv6Only, "2001:db8::1", 0},
		{"mapped.example", AnyFamily, "192.0.2.1", 0},
		{"mapped.example", IPv6Only, "no such host with an IPv6 address", Unresolved},
		{"v6.example", IPv4Only, "no such host with an IPv4 address", Unresolved},
		{"none.example", AnyFamily, "no such host", Unresolved},
		{"dead.example", AnyFamily, "the name server did not answer in time", Unresolved},
		{"broken.example", AnyFamily, "the name could not be resolved", Unresolved},
		{"any.example", AnyFamily, "its address is not the address of a host", Forbidden},
		{"multicast.exampl", AnyFamily, "its address is not the address of a host", Forbidden},
		{"ff02::1", AnyFamily, "ff02::1 is not the address of a host", Forbidden},
		{"255.255.255.255", AnyFamily, "255.255.255.255 is not the address of a host", Forbidden},
	}
	for i := range 2 * len(tests) {
		// The family is the colo's own or the one asked for: it is the same.
		tt, asked := tests[i/2], i%2 == 1
		t.Run(fmt.Sprintf("%s/%s/asked=%t", tt.target, networks[tt.family], asked), func(t *testing.T) {
			resolver := fakeResolver(func(_ context.Context, network, host string) ([]netip.Addr, error) {
				if network != networks[tt.family] {
					t.Errorf("asked the resolver for network %q", network)
				}
				switch host {
				case "none.example":
					return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
				case "dead.example":
					return nil, &net.DNSError{Err: "i/o timeout", Name: host, IsTimeout: true}
				case "broken.example":
					return nil, &net.DNSError{Err: "server misbehaving", Name: host}
				}
				return zone[host], nil
			})
			local := &Local{ColoName: "den01", Tracer: fakeTracer(echoSpec), Resolver: resolver}
			spec := Spec{Spec: traceroute.Spec{Method: traceroute.UDP, MaxTTL: 7}}
			if asked {
				spec.Family = tt.family
			} else {
				local.Family = tt.family
			}
			result, err := local.Trace(t.Context(), tt.target, spec)
			if tt.code != 0 {
				f, ok := errors.AsType[*Failure](err)
				if !ok || f.Code != tt.code || f.Reason != tt.want {
					t.Errorf("error %#v, want code %d: %s", err, tt.code, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if s := result.Spec; s.Target.String() != tt.want || s.Method != traceroute.UDP || s.MaxTTL != 7 {
				t.Errorf("traced %+v, want %s", s, tt.want)
			}
		})
	}
}

func TestLocalOfAnotherFamily(t *testing.T) {
	local := &Local{ColoName: "den01", Tracer: fakeTracer(echoSpec), Family: IPv4Only}
	_, err := local.Trace(t.Context(), "both.example", Spec{Spec: traceroute.Spec{Family: IPv6Only}})
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != Unresolved || f.Reason != "this colo traces ipv4 only" {
		t.Errorf("error %#v", err)
	}
	if _, err := local.Trace(t.Context(), "192.0.2.7", Spec{Spec: traceroute.Spec{Family: IPv4Only}}); err != nil {
		t.Error(err)
	}
}

// Every address that may be probed is a candidate: the engine knows which it can
// send to.
func TestLocalCandidates(t *testing.T) {
	resolver := fakeResolver(func(context.Context, string, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("224.0.0.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("0.0.0.0"), netip.MustParseAddr("192.0.2.1")}, nil
	})
	var candidates []netip.Addr
	tracer := fakeTracer(func(ctx context.Context, spec traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error) {
		candidates = targets
		return echoSpec(ctx, spec, targets)
	})
	if _, err := (&Local{Tracer: tracer, Resolver: resolver}).Trace(t.Context(), "both.example", Spec{}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(candidates); got != "[2001:db8::1 192.0.2.1]" {
		t.Errorf("candidates %s", got)
	}
}

func TestLocalEngineErrors(t *testing.T) {
	noRoute := fakeTracer(func(context.Context, traceroute.Spec, []netip.Addr) (*traceroute.Result, error) {
		return nil, errors.New("prober: no route to 192.0.2.1")
	})
	_, err := (&Local{Tracer: noRoute}).Trace(t.Context(), "192.0.2.1", Spec{})
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != Unsent || f.Reason != "could not send: no route to 192.0.2.1" {
		t.Errorf("error %#v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = (&Local{Tracer: noRoute}).Trace(gone, "192.0.2.1", Spec{})
	if f, ok := errors.AsType[*Failure](err); !ok || f.Code != TimedOut {
		t.Errorf("error %#v after the context's end", err)
	}
}

// A resolver that hangs costs its own timeout, not the whole request's.
func TestLocalSlowResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := fakeResolver(func(ctx context.Context, _, _ string) ([]netip.Addr, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		local := &Local{Tracer: fakeTracer(echoSpec), Resolver: hang}
		started := time.Now()
		_, err := local.Trace(t.Context(), "slow.example", Spec{})
		if f, ok := errors.AsType[*Failure](err); !ok || f.Code != Unresolved || f.Reason != "the name server did not answer in time" {
			t.Errorf("error %#v", err)
		}
		if took := time.Since(started); took != resolveTimeout {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err = local.Trace(ctx, "slow.example", Spec{})
		if f, ok := errors.AsType[*Failure](err); !ok || f.Code != TimedOut {
			t.Errorf("error %#v when the trace's own time is over", err)
		}
	})
}
