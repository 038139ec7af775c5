package service

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// All targets at all colos at once: together they take as long as the slowest,
// and come in the order requested, whichever ends first.
func TestParallelAndInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace := lasting(func(target string) time.Duration {
			return map[string]time.Duration{"192.0.2.1": 3 * time.Second, "192.0.2.2": time.Second, "192.0.2.3": 2 * time.Second}[target]
		})
		s, _ := newService(t, nil, &fakeColo{name: "ams01", trace: trace}, &fakeColo{name: "den01", trace: trace}, &fakeColo{name: "den02", trace: trace})
		targets := []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.2"}
		run := start(t, s, Request{Targets: targets, Colos: []string{"den02", "ams", "den"}})
		var want []string
		for _, target := range targets {
			for _, colo := range []string{"den02", "ams01", "den01"} {
				want = append(want, target+"@"+colo+" reached "+target)
			}
		}
		if diff := cmp.Diff(want, outcomesOf(t, run)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if run.Took() != 3*time.Second {
			t.Errorf("took %s, want the 3 s of the slowest", run.Took())
		}
		if other := start(t, s, Request{Targets: targets}); len(run.ID()) != 26 || run.ID() == other.ID() {
			t.Errorf("ids %s, %s", run.ID(), other.ID())
		} else {
			<-other.Done()
		}
	})
}

// What a colo returns or sends, as the client is told it.
func TestFailures(t *testing.T) {
	outcome := func(target int, failure *traceroute.Failure) traceroute.Event {
		return traceroute.Event{Target: target, Outcome: &traceroute.Outcome{Failure: failure}}
	}
	tests := map[string]struct {
		colo func(context.Context, chan<- traceroute.Event) error
		want []string // of two targets
	}{
		"outcomes": {
			func(_ context.Context, events chan<- traceroute.Event) error {
				events <- outcome(1, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "no such host"})
				events <- outcome(0, &traceroute.Failure{Code: traceroute.Forbidden, Reason: "private"})
				return nil
			},
			[]string{"forbidden: private", "unresolved: no such host"},
		},
		"a failure of the colo": {
			func(_ context.Context, events chan<- traceroute.Event) error {
				events <- outcome(1, &traceroute.Failure{Code: traceroute.Unresolved, Reason: "no such host"})
				return &traceroute.Failure{Code: traceroute.TimedOut, Reason: "is offline"}
			},
			[]string{"timed-out: is offline", "unresolved: no such host"},
		},
		"any other error": {
			func(context.Context, chan<- traceroute.Event) error { return errors.New("broken pipe") },
			[]string{"unsent: could not send", "unsent: could not send"},
		},
		"no outcome": {
			func(context.Context, chan<- traceroute.Event) error { return nil },
			[]string{"unsent: the colo ended without a result", "unsent: the colo ended without a result"},
		},
		"never": {
			func(ctx context.Context, events chan<- traceroute.Event) error {
				events <- outcome(0, &traceroute.Failure{Code: traceroute.Forbidden, Reason: "private"})
				<-ctx.Done()
				return ctx.Err()
			},
			[]string{"forbidden: private", "timed-out: did not answer in time"},
		},
		"what it must not send": {
			func(_ context.Context, events chan<- traceroute.Event) error {
				for _, e := range []traceroute.Event{
					{Target: -1, Outcome: &traceroute.Outcome{Failure: &traceroute.Failure{}}},
					{Target: 2, Outcome: &traceroute.Outcome{Failure: &traceroute.Failure{}}},
					{},
					{Outcome: &traceroute.Outcome{}},
					{Hops: []traceroute.Hop{{TTL: 0, Sent: 1}, {TTL: 65, Sent: 1}}},
					outcome(1, &traceroute.Failure{Code: traceroute.Forbidden, Reason: "private"}), outcome(1, &traceroute.Failure{Reason: "again"}),
					{Target: 1, Hops: []traceroute.Hop{{TTL: 1, Sent: 1}}},
				} {
					events <- e
				}
				return nil
			},
			[]string{"unsent: the colo ended without a result", "forbidden: private"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				odd := coloFunc(func(ctx context.Context, _ traceroute.Batch, events chan<- traceroute.Event) error {
					return tt.colo(ctx, events)
				})
				s, _ := newService(t, nil, odd)
				limiter, ticket := admitted(t, quota.Default())
				started := time.Now()
				run, err := s.Start(t.Context(), check(t, s, Request{Targets: []string{"192.0.2.1", "192.0.2.2"}, Live: true}), ticket)
				if err != nil {
					t.Fatal(err)
				}
				want := []string{"192.0.2.1@odd01 " + tt.want[0], "192.0.2.2@odd01 " + tt.want[1]}
				if diff := cmp.Diff(want, outcomesOf(t, run)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if took := time.Since(started); took != 0 && took != Deadline {
					t.Errorf("took %v", took)
				}
				if running := limiter.Stats().Running; running != 0 {
					t.Errorf("%d grants left", running)
				}
				if n := len(follow(t, run, 0)); n != 4 {
					t.Errorf("%d events", n)
				}
				ticket.Close()
			})
		})
	}
}

// admitted returns a limiter and a ticket of it.
func admitted(t testing.TB, limits quota.Limits) (*quota.Limiter, *quota.Ticket) {
	t.Helper()
	limiter, err := quota.New(limits)
	if err != nil {
		t.Fatal(err)
	}
	ticket, _, err := limiter.Admit(quota.Caller{})
	if err != nil {
		t.Fatal(err)
	}
	return limiter, ticket
}

// Each way to end a run early: what was finished stays, the rest fails in words,
// and nothing is held afterwards.
func TestEndings(t *testing.T) {
	cause := errors.New("the client has gone")
	tests := map[string]struct {
		end  func(run *Run, s *Service, cancel context.CancelCauseFunc)
		want string
		err  error
	}{
		"cancelled":         {func(run *Run, _ *Service, _ context.CancelCauseFunc) { run.Cancel(); run.Cancel() }, "timed-out: cancelled", nil},
		"cut":               {func(_ *Run, s *Service, _ context.CancelCauseFunc) { s.Cut() }, "timed-out: cut short: the agent is shutting down", nil},
		"context":           {func(_ *Run, _ *Service, cancel context.CancelCauseFunc) { cancel(nil) }, "", context.Canceled},
		"context and cause": {func(_ *Run, _ *Service, cancel context.CancelCauseFunc) { cancel(cause) }, "", cause},
		"context and failure": {func(_ *Run, _ *Service, cancel context.CancelCauseFunc) {
			cancel(&traceroute.Failure{Code: traceroute.Forbidden, Reason: "not any more"})
		}, "forbidden: not any more", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newService(t, &names{}, &fakeColo{name: "ams01"}, &fakeColo{name: "den01", trace: stuck})
				limiter, ticket := admitted(t, quota.Default())
				ctx, cancel := context.WithCancelCause(t.Context())
				defer cancel(nil)
				run, err := s.Start(ctx, check(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true}), ticket)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				short, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				if _, err := run.Wait(short); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("waiting for a run under way: %v", err)
				}
				tt.end(run, s, cancel)
				synctest.Wait()
				select {
				case <-run.Done():
				default:
					t.Fatal("the run goes on")
				}
				outcomes, err := run.Wait(t.Context())
				if tt.err != nil {
					events := follow(t, run, 0)
					if !errors.Is(err, tt.err) || events[len(events)-1] != err.Error() {
						t.Errorf("error %v, events %q", err, events)
					}
				} else if err != nil || describe(&outcomes[0]) != "reached 192.0.2.1" || describe(&outcomes[1]) != tt.want {
					t.Errorf("error %v, outcomes %v", err, outcomes)
				}
				if running := limiter.Stats().Running; running != 0 {
					t.Errorf("%d grants left", running)
				}
				ticket.Close()
			})
		})
	}
}

// A job is not started without a ticket, with one that is refused, or when
// nothing is to start any more.
func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newService(t, nil, &fakeColo{name: "den01"})
		job := check(t, s, Request{Targets: []string{"192.0.2.1"}})
		if _, err := s.Start(t.Context(), job, nil); err == nil {
			t.Error("no ticket: no error")
		}
		limits := quota.Default()
		limits.Traces, limits.Wait = 1, 7*time.Second
		limiter, ticket := admitted(t, limits)
		if err := ticket.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		refused := func(ctx context.Context) error {
			waiting, _, err := limiter.Admit(quota.Caller{})
			if err != nil {
				t.Fatal(err)
			}
			defer waiting.Close()
			_, err = s.Start(ctx, job, waiting)
			return err
		}
		started := time.Now()
		if err := refused(t.Context()); !errors.Is(err, quota.ErrQueueTimeout) || time.Since(started) != limits.Wait {
			t.Errorf("error %v after %v", err, time.Since(started))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := refused(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v when the client has gone", err)
		}
		time.AfterFunc(time.Second, s.Cut)
		for range 2 { // while it waits, and later
			if err := refused(t.Context()); !errors.Is(err, quota.ErrShuttingDown) {
				t.Errorf("error %v after Cut", err)
			}
		}
		ticket.Close()
		if err := refused(t.Context()); !errors.Is(err, quota.ErrShuttingDown) {
			t.Errorf("error %v after Cut, with nothing to wait for", err)
		}
		if stats := limiter.Stats(); stats.Admitted+stats.Running+stats.Waiting != 0 {
			t.Errorf("%+v", stats)
		}
	})
}

// A colo is asked for as many targets at once as the limits leave, and each
// trace that ends makes room for the next.
func TestBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		colo := &fakeColo{name: "den01", trace: lasting(func(target string) time.Duration {
			return time.Duration(target[len(target)-1]-'0') * time.Second
		})}
		s, _ := newService(t, nil, colo)
		limits := quota.Default()
		limits.Traces = 3
		limiter, ticket := admitted(t, limits)
		job := check(t, s, Request{Targets: []string{"192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5"}, Spec: traceroute.Spec{MaxTTL: 7}})
		run, err := s.Start(t.Context(), job, ticket)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := run.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if run.Took() != 7*time.Second { // .5 begins when .2 has ended
			t.Errorf("took %v", run.Took())
		}
		var got [][]string
		for _, batch := range colo.batches {
			got = append(got, batch.Targets)
			if batch.Spec.MaxTTL != 7 || batch.Spec.Wait != traceroute.DefaultWait || batch.Live {
				t.Errorf("%+v", batch)
			}
		}
		want := [][]string{{"192.0.2.1", "192.0.2.2", "192.0.2.3"}, {"192.0.2.4"}, {"192.0.2.5"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		ticket.Close()
		if stats := limiter.Stats(); stats.Admitted+stats.Running != 0 {
			t.Errorf("%+v", stats)
		}
	})
}
