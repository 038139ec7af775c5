package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// observed is what a reader has seen of a run, without what differs from run to
// run: times.
type observed struct {
	Order    []string          // of the events other than hops
	Hops     map[string]string // by trace and TTL, as reported last
	Outcomes []string          // by trace
}

// observe starts a run and reads all its events.
func observe(t *testing.T, s *Service, job *Job) observed {
	t.Helper()
	run, err := s.Start(t.Context(), job, quota.Unlimited())
	if err != nil {
		t.Error(err)
		return observed{}
	}
	o := observed{Hops: make(map[string]string)}
	subscription := run.Subscribe(0)
	for ended := false; !ended; {
		events, err := subscription.Next(t.Context())
		if err != nil {
			t.Error(err)
			return o
		}
		for _, e := range events {
			switch e.Kind {
			case Hop:
				var nodes []string
				for _, n := range e.Hop.Nodes {
					nodes = append(nodes, fmt.Sprintf("%v×%d%v", n.Addr, n.Count, n.Labels))
				}
				slices.Sort(nodes)
				key := fmt.Sprintf("%d/%d", e.Trace, e.Hop.TTL)
				if e.Hop.Sent == 0 {
					delete(o.Hops, key)
					continue
				}
				o.Hops[key] = fmt.Sprintf("%d sent: %v", e.Hop.Sent, nodes)
			case Done:
				o.Order = append(o.Order, fmt.Sprint("done ", e.Trace))
			default:
				o.Order = append(o.Order, fmt.Sprint(e.Kind))
			}
			ended = e.Kind == End
		}
	}
	outcomes, err := run.Wait(t.Context())
	if err != nil {
		t.Error(err)
	}
	for i := range outcomes {
		o.Outcomes = append(o.Outcomes, untimed(&outcomes[i]))
	}
	return o
}

// untimed is all of an outcome but its times.
func untimed(o *traceroute.Outcome) string {
	if o.Failure != nil {
		return describe(o)
	}
	r := *o.Result
	var text strings.Builder
	fmt.Fprintf(&text, "%+v from %v, %v, %v limited\n", r.Spec, r.Source, r.Stop, r.Limited)
	for _, p := range r.Probes {
		fmt.Fprintf(&text, "%d/%d:", p.TTL, p.Flow)
		if a := p.Answer; a != nil {
			fmt.Fprintf(&text, " %v %v/%d %t %d %d %d %d %v", a.From, a.Kind, a.Code, a.Arrival, a.TTL, a.QuotedTTL, a.QuotedTOS, a.MTU, a.Extensions)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// remoteService returns a service with a colo in another process.
func remoteService(t *testing.T) (*Service, *Roster, *remote) {
	t.Helper()
	child := startRemote(t)
	s, roster := newService(t, nil, child)
	return s, roster, child
}

// limitedStart starts a run with a ticket that is returned to be examined.
func limitedStart(ctx context.Context, t *testing.T, s *Service, request Request) (*Run, func()) {
	t.Helper()
	limiter, ticket := admitted(t, quota.Default())
	run, err := s.Start(ctx, check(t, s, request), ticket)
	if err != nil {
		t.Fatal(err)
	}
	return run, func() {
		t.Helper()
		<-run.Done()
		if stats := limiter.Stats(); stats.Running != 0 {
			t.Errorf("%d grants left", stats.Running)
		}
		ticket.Close()
	}
}

func targetsOf(addresses ...interface{ String() string }) (all []string) {
	for _, a := range addresses {
		all = append(all, a.String())
	}
	return all
}

// The same trace from a colo in another process and from one in this, in equal
// networks: the same outcomes and events.
func TestProcessEqualsLocal(t *testing.T) {
	t.Parallel()
	local, engine, err := newLocal("child01")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	s, _ := newService(t, nil, local)
	other, _, _ := remoteService(t)
	for _, method := range []traceroute.Method{traceroute.ICMP, traceroute.UDP, traceroute.TCP, traceroute.GREICMP} {
		t.Run(method.String(), func(t *testing.T) {
			request := Request{
				Targets: append(targetsOf(mixed.For(false)), "ff02::1", "name.example"), Live: true,
				Spec: traceroute.Spec{Method: method, Wait: time.Second, MaxTTL: 8},
			}
			var want, got observed
			var both sync.WaitGroup // hops are there while the traces run
			here, there := check(t, s, request), check(t, other, request)
			both.Go(func() { want = observe(t, s, here) })
			both.Go(func() { got = observe(t, other, there) })
			both.Wait()
			if len(want.Hops) < 4 || method != traceroute.GREICMP && !strings.Contains(want.Outcomes[0], "reached") {
				t.Errorf("the local colo has %+v", want)
			}
			slices.Sort(want.Order[1:3]) // the two that fail at once
			slices.Sort(got.Order[1:3])
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-local +process):\n%s", diff)
			}
		})
	}
}

// untilHop returns when a run has reported a hop of the trace.
func untilHop(t *testing.T, run *Run, trace int) {
	t.Helper()
	subscription := run.Subscribe(0)
	for {
		events, err := subscription.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind == Hop && e.Trace == trace {
				return
			}
		}
	}
}

// untilDone returns when a run has reported the end of the trace.
func untilDone(t *testing.T, run *Run, trace int) {
	t.Helper()
	subscription := run.Subscribe(0)
	for {
		events, err := subscription.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Kind == Done && e.Trace == trace {
				return
			}
		}
	}
}

// However a run with a colo in another process ends early: its open trace fails
// in words, the finished one stays, and nothing is left, here or there.
func TestProcessEndings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		end   func(t *testing.T, run *Run, roster *Roster, child *remote)
		want  string
		stops bool // the process goes on, and its probing stops
	}{
		"cancelled": {func(_ *testing.T, run *Run, _ *Roster, _ *remote) { run.Cancel() }, "timed-out: cancelled", true},
		"removed":   {func(_ *testing.T, _ *Run, roster *Roster, _ *remote) { roster.Remove("child01") }, "timed-out: left while the trace was under way", true},
		"killed": {func(t *testing.T, _ *Run, _ *Roster, child *remote) {
			if err := child.process.Process.Kill(); err != nil {
				t.Error(err)
			}
		}, "timed-out: was lost while the trace was under way", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, roster, child := remoteService(t)
			run, released := limitedStart(t.Context(), t, s, Request{
				Targets: []string{quick.For(false).String(), slow.For(false).String()}, Live: true,
				Spec: traceroute.Spec{Wait: traceroute.MaxWait, MaxTTL: 64},
			})
			untilDone(t, run, 0)
			untilHop(t, run, 1)
			tt.end(t, run, roster, child)
			outcomes, err := run.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if describe(&outcomes[0]) != "reached "+quick.For(false).String() || describe(&outcomes[1]) != tt.want {
				t.Errorf("outcomes %s, %s", describe(&outcomes[0]), describe(&outcomes[1]))
			}
			released()
			if tt.stops {
				if end := child.endOf(t, 1); end.Error != "" || end.Status.Running != 0 {
					t.Errorf("the process has %+v", end)
				}
			}
		})
	}
}

// A colo that does not answer holds nothing up: neither when it falls silent while
// it traces and the time of the run is over, nor when it does not take a request.
func TestProcessNeverAnswers(t *testing.T) {
	t.Parallel()
	s, _, child := remoteService(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	run, released := limitedStart(ctx, t, s, Request{
		Targets: []string{quick.For(false).String(), slow.For(false).String()}, Live: true,
		Spec: traceroute.Spec{Wait: traceroute.MaxWait, MaxTTL: 64},
	})
	untilDone(t, run, 0)
	if err := child.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cancel(errDeadline) // as if its time were over
	want := []string{
		quick.For(false).String() + "@child01 reached " + quick.For(false).String(),
		slow.For(false).String() + "@child01 timed-out: did not answer in time",
	}
	if diff := cmp.Diff(want, outcomesOf(t, run)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	released()
	run, released = limitedStart(t.Context(), t, s, Request{Targets: []string{"192.0.2.1"}})
	if diff := cmp.Diff([]string{"192.0.2.1@child01 timed-out: did not acknowledge the request"}, outcomesOf(t, run)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	released()
}
