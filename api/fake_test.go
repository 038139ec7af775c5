package api

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	v1 "probe-agent/api/v1"
	"probe-agent/internal/panics"
	"probe-agent/service"
	"probe-agent/traceroute"
)

type traceFunc = func(ctx context.Context, target string, spec traceroute.Spec) (*traceroute.Result, error)

// fakeColo traces each target by a function; without one, every target answers at
// TTL 1.
type fakeColo struct {
	name  string
	trace traceFunc
	// live is trace with a function that reports hops.
	live func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error)
}

func (c *fakeColo) Info() traceroute.Colo {
	return traceroute.Colo{Name: c.name, City: "City of " + c.name}
}

func (c *fakeColo) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(batch.Targets))
	for i, target := range batch.Targets {
		wg.Go(func() {
			defer func() {
				if errs[i] != nil { // what panics ends all
					cancel()
				}
			}()
			defer panics.Catch(&errs[i])
			outcome := traceroute.Outcome{}
			result, err := c.traceOne(ctx, target, batch.Spec, func(hops ...traceroute.Hop) {
				events <- traceroute.Event{Target: i, Hops: hops}
			})
			if err != nil {
				outcome.Failure = traceroute.FailureOf(err, context.Cause(ctx))
			} else {
				outcome.Result, outcome.Took = result, result.Duration
			}
			events <- traceroute.Event{Target: i, Outcome: &outcome}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (c *fakeColo) traceOne(ctx context.Context, target string, spec traceroute.Spec, report func(...traceroute.Hop)) (*traceroute.Result, error) {
	switch {
	case c.live != nil:
		return c.live(ctx, target, report)
	case c.trace != nil:
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

type fakeAnnotator traceroute.Notes

func (fakeAnnotator) Prefetch(netip.Addr) {}

func (f fakeAnnotator) Annotate(_ context.Context, addrs []netip.Addr) traceroute.Notes {
	known := make(traceroute.Notes)
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

// failing traces nothing.
func failing(err error) traceFunc {
	return func(context.Context, string, traceroute.Spec) (*traceroute.Result, error) { return nil, err }
}

func newService(t testing.TB, colos ...service.Colo) *service.Service {
	t.Helper()
	return newNamedService(t, nil, colos...)
}

// newNamedService is newService with names and AS numbers.
func newNamedService(t testing.TB, names service.Annotator, colos ...service.Colo) *service.Service {
	t.Helper()
	roster, err := service.NewRoster(colos...)
	if err != nil {
		t.Fatal(err)
	}
	return service.New(service.Config{Roster: roster, Annotator: names})
}

func newHandler(t testing.TB, colos ...service.Colo) *Handler {
	t.Helper()
	return New(Config{Service: newService(t, colos...), Log: quiet(), Kept: keptLimits()})
}

// keptLimits keep all that a test traces.
func keptLimits() v1.Limits { return v1.Limits{Traces: 1000, Bytes: 16 << 20, Age: 15 * time.Minute} }
