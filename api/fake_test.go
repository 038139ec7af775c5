package api

import (
	"context"
	"net/netip"
	"time"

	"probe-agent/traceroute"
)

// fakeColo traces by a function; without one, every target answers at TTL 1.
type fakeColo struct {
	name  string
	trace func(ctx context.Context, target string, spec Spec) (*traceroute.Result, error)
}

func (c *fakeColo) Name() string { return c.name }
func (c *fakeColo) City() string { return "City of " + c.name }

func (c *fakeColo) Trace(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
	if c.trace != nil {
		return c.trace(ctx, target, spec)
	}
	return direct(target), nil
}

// direct is a trace of a target that is one hop away.
func direct(target string) *traceroute.Result {
	addr, err := netip.ParseAddr(target)
	if err != nil {
		addr = netip.MustParseAddr("192.0.2.1")
	}
	return &traceroute.Result{
		Spec:     traceroute.Spec{Target: addr, Method: traceroute.ICMP, MaxTTL: 15, PacketsPerTTL: 3, Port: 1, Wait: time.Second},
		Duration: 155 * time.Millisecond,
		Probes: []traceroute.Probe{
			{TTL: 1, Flow: 0, Answer: echo(addr, 14*time.Microsecond)},
			{TTL: 1, Flow: 1, Answer: echo(addr, 15*time.Microsecond)},
			{TTL: 1, Flow: 2, Answer: echo(addr, 34*time.Microsecond)},
		},
		Stop: traceroute.Reached,
	}
}

func echo(from netip.Addr, rtt time.Duration) *traceroute.Answer {
	return &traceroute.Answer{From: from, RTT: rtt, Kind: traceroute.EchoReply, Arrival: true}
}

func exceeded(from string, rtt time.Duration) *traceroute.Answer {
	return &traceroute.Answer{From: netip.MustParseAddr(from), RTT: rtt, Kind: traceroute.TimeExceeded}
}

type fakeAnnotator map[netip.Addr]Annotation

func (fakeAnnotator) Prefetch(netip.Addr) {}

func (f fakeAnnotator) Annotate(_ context.Context, addrs []netip.Addr) map[netip.Addr]Annotation {
	known := make(map[netip.Addr]Annotation)
	for _, a := range addrs {
		if n, ok := f[a]; ok {
			known[a] = n
		}
	}
	return known
}

// after waits for d of a bubble's time.
func after(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// answering traces everything with one result.
func answering(r *traceroute.Result) func(context.Context, string, Spec) (*traceroute.Result, error) {
	return func(context.Context, string, Spec) (*traceroute.Result, error) { return r, nil }
}

// failing traces nothing.
func failing(err error) func(context.Context, string, Spec) (*traceroute.Result, error) {
	return func(context.Context, string, Spec) (*traceroute.Result, error) { return nil, err }
}
