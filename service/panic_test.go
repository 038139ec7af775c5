package service

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"

	"probe-agent/internal/panics"
	"probe-agent/quota"
	"probe-agent/traceroute"
)

// panicking is an Annotator that panics where it is told to.
type panicking struct{ prefetch, annotate bool }

func (p panicking) Prefetch(netip.Addr) {
	if p.prefetch {
		panic("prefetch")
	}
}

func (p panicking) Annotate(context.Context, []netip.Addr) traceroute.Notes {
	if p.annotate {
		panic("annotate")
	}
	return nil
}

// A panic anywhere ends the run with an error that has its stack, and nothing is
// held afterwards.
func TestPanics(t *testing.T) {
	responder := []traceroute.Responder{{Addr: netip.MustParseAddr("192.0.2.1"), TTL: 1}}
	working := func(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
		events <- traceroute.Event{Responders: responder}
		return (&fakeColo{}).Trace(ctx, batch, events)
	}
	tests := map[string]struct {
		colo      coloFunc
		annotator panicking
		live      bool
		want      string
	}{
		"colo":       {func(context.Context, traceroute.Batch, chan<- traceroute.Event) error { panic("colo") }, panicking{}, false, "panic: colo"},
		"colo, live": {func(context.Context, traceroute.Batch, chan<- traceroute.Event) error { panic("colo") }, panicking{}, true, "panic: colo"},
		"returned by colo": {func(context.Context, traceroute.Batch, chan<- traceroute.Event) error {
			return &panics.Error{Value: "trace"}
		}, panicking{}, true, "panic: trace"},
		"prefetch":            {working, panicking{prefetch: true}, false, "panic: prefetch"},
		"annotate at the end": {working, panicking{annotate: true}, false, "panic: annotate"},
		"annotate, live":      {working, panicking{annotate: true}, true, "panic: annotate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := newService(t, tt.annotator, tt.colo, &fakeColo{name: "den01", trace: stuck})
				request := Request{Targets: []string{"192.0.2.1", "192.0.2.2"}, Live: tt.live}
				if tt.annotator.annotate && !tt.live {
					request.Colos = []string{"odd01"}
				}
				limiter, ticket := admitted(t, quota.Default())
				run, err := s.Start(t.Context(), check(t, s, request), ticket)
				if err != nil {
					t.Fatal(err)
				}
				_, err = run.Wait(t.Context())
				if _, ok := errors.AsType[*panics.Error](err); !ok || err.Error() != tt.want {
					t.Errorf("error %v", err)
				}
				subscription := run.Subscribe(0)
				var last error
				for last == nil {
					var events []Event
					events, last = subscription.Next(t.Context())
					for _, e := range events {
						if e.Kind == Done {
							t.Errorf("a reader gets %s", describeEvent(e))
						}
					}
				}
				if !errors.Is(last, err) {
					t.Errorf("a reader gets %v", last)
				}
				ticket.Close() // some grants may not have been used
				if stats := limiter.Stats(); stats.Admitted+stats.Running != 0 {
					t.Errorf("%+v", stats)
				}
			})
		})
	}
}

// A panic while a reader's names are looked up is the reader's.
func TestPanicOfAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newService(t, panicking{annotate: true}, coloFunc(func(ctx context.Context, _ traceroute.Batch, events chan<- traceroute.Event) error {
			events <- traceroute.Event{Hops: []traceroute.Hop{hop(1, 3, "192.0.2.1")}}
			<-ctx.Done()
			return nil
		}))
		run := start(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true})
		synctest.Wait()
		if _, err := run.Subscribe(0).Next(t.Context()); err == nil || err.Error() != "panic: annotate" {
			t.Errorf("error %v", err)
		}
		run.Cancel()
		if _, err := run.Subscribe(2).Next(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := run.Subscribe(99).Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("error %v", err)
		}
	})
}
