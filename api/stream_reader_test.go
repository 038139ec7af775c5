package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "probe-agent/api/v1"
	"probe-agent/traceroute"
)

// In quiet times heartbeats come, and they are no events.
func TestStreamHeartbeat(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			quietly := func(ctx context.Context, target string, _ Spec) (*traceroute.Result, error) {
				if err := after(ctx, 35*time.Second); err != nil {
					return nil, err
				}
				return direct(target), nil
			}
			p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: quietly}))
			defer stop()
			c := p.dial()
			defer c.Close()
			events := newEventReader(loadLaw(t), open(t, c, goodBody, form).Body, form)
			if diff := cmp.Diff([]string{"started", "done", "end"}, names(events.all(t))); diff != "" || events.beats != 3 {
				t.Errorf("%s: %d heartbeats in 35 s (-want +got):\n%s", form.mediaType(), events.beats, diff)
			}
		})
	}
}

// A client that reads slowly gets the latest, not all, and the traces do not
// wait for it.
func TestStreamSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds = 1000
		busy := func(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
			r := direct(target)
			for i := range rounds { // 20 s
				if err := after(ctx, 20*time.Millisecond); err != nil {
					return nil, err
				}
				so := *r
				so.Stop, so.Probes = traceroute.Running, nil
				for range i + 1 {
					so.Probes = append(so.Probes, traceroute.Probe{TTL: 1})
				}
				spec.Progress(&so)
			}
			return r, nil
		}
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: busy}))
		defer stop()
		c := p.dial()
		defer c.Close()
		started := time.Now()
		events := newEventReader(loadLaw(t), open(t, c, goodBody, ndjsonForm).Body, ndjsonForm)
		seen, sent := 0, 0
		for {
			e, err := events.next(t)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if e.Name == v1.EventHop {
				seen++
				now := dataOf[v1.HopChange](t, e).Hop.Sent
				if now <= sent {
					t.Errorf("a hop with %d sent after one with %d", now, sent)
				}
				// What was written last is one pause old, not one of a queue.
				if behind := time.Since(started) - time.Duration(now)*20*time.Millisecond; behind > 1200*time.Millisecond {
					t.Errorf("an event is %v old", behind)
				}
				sent = now
			}
			if err := after(t.Context(), 500*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if seen < 20 || seen > 50 || events.last < 3 {
			t.Errorf("%d of %d changes seen at two a second for 20 s", seen, rounds)
		}
		if took := time.Since(started); took > 25*time.Second {
			t.Errorf("took %v: the trace waited for the reader", took)
		}
	})
}

// A client that does not read at all loses its trace.
func TestStreamStuckReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan time.Duration, 1)
		talkative := func(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
			started := time.Now()
			_, err := walking(1000, reached)(ctx, target, spec)
			stopped <- time.Since(started)
			return nil, err
		}
		var log bytes.Buffer
		h := NewHandler(HandlerConfig{Service: newService(t, &fakeColo{name: "den01", trace: talkative}), Log: slog.New(slog.NewTextHandler(&log, nil))})
		p, stop := serve(t, h)
		defer stop()
		c := p.dial()
		defer c.Close()
		open(t, c, goodBody, sseForm) // reads what there is; then no more
		// The first event went out with the head; the hop after a second is
		// stuck.
		if took := <-stopped; took > time.Second+eventTimeout+time.Second {
			t.Errorf("probing went on for %v", took)
		}
		synctest.Wait()
		if !strings.Contains(log.String(), "status=499") {
			t.Errorf("log: %s", log.String())
		}
	})
}

// When the client goes, probing stops at once.
func TestStreamClientGone(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			trace, stopped := endless()
			p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: trace}))
			defer stop()
			c := p.dial()
			events := newEventReader(loadLaw(t), open(t, c, goodBody, form).Body, form)
			if e, err := events.next(t); err != nil || e.Name != v1.EventStarted {
				t.Fatalf("%v %v", e, err)
			}
			if err := after(t.Context(), 3*time.Second); err != nil {
				t.Fatal(err)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			if took := <-stopped; took != 3*time.Second {
				t.Errorf("probing stopped after %v, want 3s", took)
			}
		})
	}
}
