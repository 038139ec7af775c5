package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"probe-agent/traceroute"
)

// walking is a trace that reports a router each second, with the target at the
// end.
func walking(hops int) traceFunc {
	return func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
		for ttl := 1; ttl <= hops; ttl++ {
			if err := after(ctx, time.Second); err != nil {
				return nil, err
			}
			report(hop(uint8(ttl), 3, fmt.Sprintf("198.51.100.%d", ttl)))
		}
		if err := after(ctx, time.Second); err != nil {
			return nil, err
		}
		return direct(ctx, target, report)
	}
}

// Each hop is there when it is found; and a reader that comes back, at any time,
// gets what has changed since.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newService(t, nil, &fakeColo{name: "den01", trace: walking(2)}, &fakeColo{name: "ams01"})
		run := start(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true})
		want := []string{
			"0s started", "0s 1: reached 192.0.2.1 ",
			"1s 0: hop 1, 3 sent 198.51.100.1 ", "2s 0: hop 2, 3 sent 198.51.100.2 ",
			"3s 0: reached 192.0.2.1 ", "3s end 3s",
		}
		synctest.Wait()
		if diff := cmp.Diff(want, follow(t, run, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		for after, want := range map[uint64][]string{
			0: {"0s started", "0s 1: reached 192.0.2.1 ", "0s 0: reached 192.0.2.1 ", "0s end 3s"}, // no hops any more
			2: {"0s 0: reached 192.0.2.1 ", "0s end 3s"},
			5: {"0s end 3s"},
			6: nil,
			9: nil,
		} {
			if diff := cmp.Diff(want, follow(t, run, after)); diff != "" {
				t.Errorf("after %d (-want +got):\n%s", after, diff)
			}
		}
	})
}

// A reader gets the latest state, each part once, however often it changed; and
// nothing of a hop that turned out to be beyond the end before it was read.
func TestChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		step := make(chan struct{})
		stepping := func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
			report(hop(1, 1), hop(4, 1))
			<-step
			report(hop(1, 2), hop(2, 0))
			report(hop(1, 3), hop(5, 1))
			<-step
			report(hop(4, 0), hop(5, 0), hop(2, 1))
			<-step
			return direct(ctx, target, report)
		}
		s, _ := newService(t, nil, &fakeColo{name: "den01", trace: stepping})
		run := start(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true})
		early, late := run.Subscribe(0), run.Subscribe(0)
		read := func(s *Subscription) (got []string) {
			t.Helper()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			events, err := s.Next(ctx)
			if err != nil {
				return []string{err.Error()}
			}
			for _, e := range events {
				got = append(got, fmt.Sprintf("%d %s", e.ID, describeEvent(e)))
			}
			return got
		}
		expect := func(s *Subscription, want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, read(s)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		expect(early, "1 started", "2 0: hop 1, 1 sent", "3 0: hop 4, 1 sent")
		expect(early, "service: waiting for events: context deadline exceeded")
		step <- struct{}{}
		expect(early, "5 0: hop 1, 3 sent", "6 0: hop 5, 1 sent")
		step <- struct{}{}
		expect(early, "7 0: hop 4, 0 sent", "8 0: hop 5, 0 sent", "9 0: hop 2, 1 sent")
		expect(late, "1 started", "5 0: hop 1, 3 sent", "9 0: hop 2, 1 sent")
		step <- struct{}{}
		expect(late, "10 0: reached 192.0.2.1 ", "11 end 1s")
		expect(late, "EOF")
	})
}

// Whenever a reader reads, and however often it comes back, in the end it has the
// same state as any other.
func TestReadersAgree(t *testing.T) {
	type reader struct {
		after uint64
		state map[string]Event
	}
	read := func(t *rapid.T, b *board, r *reader) {
		events, upTo, _, _ := b.since(r.after)
		for _, e := range events {
			if e.ID <= r.after {
				t.Fatalf("event %d after %d", e.ID, r.after)
			}
			key := fmt.Sprint(e.Kind, e.Trace, e.Hop.TTL)
			if e.Kind == Hop && e.Hop.Sent == 0 {
				delete(r.state, key)
				continue
			}
			if e.Kind == Done {
				for ttl := range 4 {
					delete(r.state, fmt.Sprint(Hop, e.Trace, ttl))
				}
			}
			e.ID = 0
			r.state[key] = e
		}
		r.after = upTo
	}
	rapid.Check(t, func(t *rapid.T) {
		const traces = 3
		b := newBoard(traces)
		readers := make([]reader, 3)
		for i := range readers {
			readers[i].state = make(map[string]Event)
		}
		done := make([]bool, traces)
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			trace := rapid.IntRange(0, traces-1).Draw(t, "trace")
			switch rapid.IntRange(0, 5).Draw(t, "what") {
			case 0:
				read(t, b, &readers[rapid.IntRange(0, 1).Draw(t, "reader")])
			case 1:
				if !done[trace] {
					done[trace] = true
					b.setOutcome(trace, &traceroute.Outcome{}, nil)
				}
			default:
				b.setHops(trace, []traceroute.Hop{hop(uint8(rapid.IntRange(1, 3).Draw(t, "ttl")), rapid.IntRange(0, 3).Draw(t, "sent"))})
			}
		}
		b.end(time.Second, false)
		for i := range readers {
			read(t, b, &readers[i])
		}
		for i := range readers[:2] {
			if diff := cmp.Diff(readers[2].state, readers[i].state); diff != "" {
				t.Fatalf("reader %d (-want +got):\n%s", i, diff)
			}
		}
	})
}

// Names are part of the outcomes of a live run, which waits for them two seconds
// at most; and of hops as far as they are known.
func TestLiveNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := &names{from: time.Now(), after: 1500 * time.Millisecond}
		s, _ := newService(t, known, &fakeColo{name: "den01", trace: walking(2)}, &fakeColo{name: "ams01"})
		run := start(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true})
		synctest.Wait()
		want := []string{
			"0s started", "1s 0: hop 1, 3 sent 198.51.100.1 ", "1.5s 1: reached 192.0.2.1 host.example",
			"2s 0: hop 2, 3 sent 198.51.100.2 host.example", "3s 0: reached 192.0.2.1 host.example", "3s end 3s",
		}
		if diff := cmp.Diff(want, follow(t, run, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		known.from, known.after = time.Now(), time.Hour
		run = start(t, s, Request{Targets: []string{"192.0.2.1"}, Colos: []string{"ams"}, Live: true})
		synctest.Wait()
		if diff := cmp.Diff([]string{"0s started", "2s 0: reached 192.0.2.1 ", "2s end 0s"}, follow(t, run, 0)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Without live events all addresses are looked up at the end, each once.
func TestAnnotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := &names{from: time.Now(), after: time.Hour}
		failing := func(context.Context, string, func(...traceroute.Hop)) (*traceroute.Result, error) {
			return nil, errors.New("no")
		}
		s, _ := newService(t, known, &fakeColo{name: "ams01", trace: failing}, &fakeColo{name: "den01"})
		run := start(t, s, Request{Targets: []string{"192.0.2.1", "192.0.2.2", "192.0.2.1"}})
		started := time.Now()
		<-run.Done()
		if took := time.Since(started); took != AnnotateTimeout || run.Took() != 0 || len(run.Notes()) != 0 {
			t.Errorf("ended after %v, took %v, notes %v", took, run.Took(), run.Notes())
		}
		if got := fmt.Sprint(known.annotated); got != "[192.0.2.1 192.0.2.2]" {
			t.Errorf("looked up %s", got)
		}
		known.after = 0
		run = start(t, s, Request{Targets: []string{"192.0.2.1"}})
		if n := follow(t, run, 0); len(run.Notes()) != 1 || n[2] != "0s 1: reached 192.0.2.1 host.example" {
			t.Errorf("notes %v, events %q", run.Notes(), n)
		}
	})
}

// Any number of readers wait for one change, and none of them is left behind
// when the run ends.
func TestReadersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newService(t, nil, &fakeColo{name: "den01", trace: walking(3)})
		run := start(t, s, Request{Targets: []string{"192.0.2.1"}, Live: true})
		read := make(chan []string)
		for range 10 {
			go func() { read <- follow(t, run, 0) }()
		}
		synctest.Wait()
		run.Cancel()
		for range 10 {
			if diff := cmp.Diff([]string{"0s started", "0s 0: timed-out: cancelled", "0s end 0s"}, <-read); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
		if _, err := run.Subscribe(99).Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("error %v", err)
		}
	})
}
