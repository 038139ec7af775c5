package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		if err := serveChild(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// traceFunc traces one target of a fakeColo. It may report hops.
type traceFunc func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error)

// fakeColo traces each target by a function; without one, every target answers
// at TTL 1.
type fakeColo struct {
	name    string
	trace   traceFunc
	mu      sync.Mutex
	batches []traceroute.Batch // as requested
}

func (c *fakeColo) Info() traceroute.Colo {
	return traceroute.Colo{Name: c.name, City: "City of " + c.name}
}

func (c *fakeColo) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	c.mu.Lock()
	c.batches = append(c.batches, batch)
	c.mu.Unlock()
	var wg sync.WaitGroup
	for i, target := range batch.Targets {
		wg.Go(func() {
			outcome := &traceroute.Outcome{}
			trace := c.trace
			if trace == nil {
				trace = direct
			}
			var err error
			outcome.Result, err = trace(ctx, target, func(hops ...traceroute.Hop) { events <- traceroute.Event{Target: i, Hops: hops} })
			if err != nil {
				outcome.Failure = traceroute.FailureOf(err, context.Cause(ctx))
			}
			events <- traceroute.Event{Target: i, Outcome: outcome}
		})
	}
	wg.Wait()
	return nil
}

// coloFunc is a Colo that does what the function does.
type coloFunc func(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error

func (coloFunc) Info() traceroute.Colo { return traceroute.Colo{Name: "odd01"} }

func (f coloFunc) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	return f(ctx, batch, events)
}

// direct is a trace of a target that is one hop away.
func direct(_ context.Context, target string, _ func(...traceroute.Hop)) (*traceroute.Result, error) {
	addr := netip.MustParseAddr(target)
	return &traceroute.Result{
		Spec: traceroute.Spec{Target: addr}, Duration: 155 * time.Millisecond, Stop: traceroute.Reached,
		Probes: []traceroute.Probe{{TTL: 1, Answer: &traceroute.Answer{From: addr, RTT: time.Millisecond, Arrival: true}}},
	}, nil
}

// stuck is a trace that ends with its context only.
func stuck(ctx context.Context, _ string, _ func(...traceroute.Hop)) (*traceroute.Result, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// lasting is a trace that takes its time.
func lasting(d func(target string) time.Duration) traceFunc {
	return func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
		if err := after(ctx, d(target)); err != nil {
			return nil, err
		}
		return direct(ctx, target, report)
	}
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

func hop(ttl uint8, sent int, nodes ...string) traceroute.Hop {
	h := traceroute.Hop{TTL: ttl, Sent: sent}
	for _, node := range nodes {
		h.Nodes = append(h.Nodes, traceroute.Node{Addr: netip.MustParseAddr(node)})
	}
	return h
}

func newService(t testing.TB, annotator Annotator, colos ...Colo) (*Service, *Roster) {
	t.Helper()
	roster, err := NewRoster(colos...)
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Roster: roster, Annotator: annotator}), roster
}

func check(t testing.TB, s *Service, request Request) *Job {
	t.Helper()
	job, err := s.Check(request)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

// start starts a run that nothing limits.
func start(t testing.TB, s *Service, request Request) *Run {
	t.Helper()
	run, err := s.Start(t.Context(), check(t, s, request), quota.Unlimited())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// outcomesOf waits for a run and describes what came of its traces.
func outcomesOf(t testing.TB, run *Run) []string {
	t.Helper()
	outcomes, err := run.Wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for i, o := range outcomes {
		trace := run.Traces()[i]
		all = append(all, fmt.Sprintf("%s@%s %s", trace.Target, trace.Colo.Name, describe(&o)))
	}
	return all
}

func describe(o *traceroute.Outcome) string {
	if o.Failure != nil {
		return fmt.Sprintf("%v: %s", o.Failure.Code, o.Failure.Reason)
	}
	return fmt.Sprintf("%v %v", o.Result.Stop, o.Result.Spec.Target)
}

// follow reads all events of a run and describes them; stamped with when they
// were read.
func follow(t testing.TB, run *Run, after uint64) []string {
	t.Helper()
	subscription := run.Subscribe(after)
	started := time.Now()
	var all []string
	for {
		events, err := subscription.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			return append(all, err.Error())
		}
		for _, e := range events {
			all = append(all, fmt.Sprintf("%v %s", time.Since(started), describeEvent(e)))
		}
	}
}

func describeEvent(e Event) string {
	switch e.Kind {
	case Started:
		return "started"
	case Hop:
		text := fmt.Sprintf("%d: hop %d, %d sent", e.Trace, e.Hop.TTL, e.Hop.Sent)
		for _, node := range e.Hop.Nodes {
			text += fmt.Sprintf(" %v %s", node.Addr, e.Notes[node.Addr].Name)
		}
		return text
	case Done:
		text := fmt.Sprintf("%d: %s", e.Trace, describe(e.Outcome))
		if e.Outcome.Result != nil {
			text += " " + e.Notes[e.Outcome.Result.Spec.Target].Name
		}
		return text
	case End:
		return fmt.Sprintf("end %v", e.Took)
	}
	return "invalid"
}

// names is an Annotator that knows everything after a while.
type names struct {
	from  time.Time
	after time.Duration

	mu                    sync.Mutex
	prefetched, annotated []netip.Addr
}

func (n *names) Prefetch(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.prefetched = append(n.prefetched, addr)
}

func (n *names) Annotate(ctx context.Context, addrs []netip.Addr) traceroute.Notes {
	n.mu.Lock()
	n.annotated = append(n.annotated, addrs...)
	n.mu.Unlock()
	if wait := n.after - time.Since(n.from); wait > 0 && after(ctx, wait) != nil {
		return nil
	}
	notes := make(traceroute.Notes)
	for _, addr := range addrs {
		notes[addr] = traceroute.Note{Name: "host.example", ASN: 64500}
	}
	return notes
}
