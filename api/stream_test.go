package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/native"
	"probe-agent/prober"
)

// streamForms are the forms that are live.
func streamForms() []answerForm { return []answerForm{ndjsonForm, sseForm} }

// opened is the answer to a request for a stream.
type opened struct {
	Header http.Header
	Body   io.Reader
}

// open asks for a stream over c, which the caller closes.
func open(t *testing.T, c net.Conn, body string, form answerForm) opened {
	t.Helper()
	write(t, c, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n%s", nativePath, form.mediaType(), len(body), body))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != form.mediaType() || resp.Header.Get("X-Accel-Buffering") != "no" ||
		resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("cf-ray") == "" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return opened{resp.Header, resp.Body}
}

// walking is a trace that finds a router each second and reports it, then
// does what end says.
func walking(hops int, end func(ctx context.Context, r *prober.Result) (*prober.Result, error)) func(context.Context, string, prober.Spec) (*prober.Result, error) {
	return func(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
		r := direct(target)
		answered := r.Probes
		r.Probes, r.Stop = nil, prober.Running
		for ttl := range uint8(hops) {
			if err := after(ctx, time.Second); err != nil {
				return nil, err
			}
			for _, p := range answered {
				p.TTL, p.Answer = ttl+1, exceeded(fmt.Sprintf("198.51.100.%d", ttl+1), time.Millisecond)
				r.Probes = append(r.Probes, p)
			}
			if spec.Progress != nil {
				spec.Progress(r)
			}
		}
		return end(ctx, r)
	}
}

func reached(_ context.Context, r *prober.Result) (*prober.Result, error) {
	done := *r
	done.Stop = prober.Reached
	return &done, nil
}

// Each hop comes when it is found, not when all is over; and the end has the
// whole.
func TestStreamIsLive(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			colos := []Colo{&fakeColo{name: "den01", trace: walking(3, reached)}, &fakeColo{name: "ams01", trace: failing(&Failure{Code: Unresolved, Reason: "no such host"})}}
			p, stop := serve(t, newHandler(t, colos...))
			defer stop()
			c := p.dial()
			defer c.Close()
			started := time.Now()
			resp := open(t, c, goodBody, form)
			events := newEventReader(loadLaw(t), resp.Body, form)
			var got []string
			for {
				e, err := events.next(t)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				line := fmt.Sprintf("%v %s", time.Since(started), e.Name)
				switch e.Name {
				case native.EventStarted:
					data := dataOf[native.Started](t, e)
					for _, b := range data.Traces {
						line += fmt.Sprintf(" %d:%s@%s", b.Trace, b.Target, b.Colo.Name)
					}
					if data.RequestID != resp.Header.Get("cf-ray") {
						t.Errorf("request %s, cf-ray %s", data.RequestID, resp.Header.Get("cf-ray"))
					}
				case native.EventHop:
					data := dataOf[native.HopChange](t, e)
					line += fmt.Sprintf(" %d %d %s", data.Trace, data.Hop.TTL, data.Hop.Nodes[0].IP)
				case native.EventDone:
					data := dataOf[native.Done](t, e)
					line += fmt.Sprintf(" %d", data.Trace)
					if f := data.Outcome.Failure; f != nil {
						line += " " + f.Reason
					} else {
						line += fmt.Sprintf(" %s %d hops", data.Outcome.Trace.Stop, len(data.Outcome.Trace.Hops))
					}
				case native.EventEnd:
					data := dataOf[native.End](t, e)
					line += fmt.Sprintf(" %v, %d and %d", time.Duration(data.DurationNS), data.Traced, data.Failed)
				}
				got = append(got, line)
			}
			want := []string{
				"0s started 0:192.0.2.1@den01 1:192.0.2.1@ams01",
				"0s done 1 unresolved",
				"1s hop 0 1 198.51.100.1",
				"2s hop 0 2 198.51.100.2",
				"3s hop 0 3 198.51.100.3",
				"3s done 0 reached 3 hops",
				"3s end 3s, 1 and 1",
			}
			// The last progress and the end are at one time: which is seen is
			// open.
			got = slices.DeleteFunc(got, func(line string) bool { return strings.HasPrefix(line, "3s hop") })
			want = slices.DeleteFunc(want, func(line string) bool { return strings.HasPrefix(line, "3s hop") })
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", form.mediaType(), diff)
			}
		})
	}
}

// In quiet times heartbeats come, and they are no events.
func TestStreamHeartbeat(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			quietly := func(ctx context.Context, target string, _ prober.Spec) (*prober.Result, error) {
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

// A hop that turns out to be beyond the end of the path is taken back; hops
// that nothing was sent to yet, and those that are as before, are not told.
func TestStreamTellsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ttl uint8) prober.Probe { return prober.Probe{TTL: ttl} }
		heard := func(ttl uint8) prober.Probe {
			return prober.Probe{TTL: ttl, Answer: exceeded("198.51.100.1", time.Millisecond)}
		}
		steps := [][]prober.Probe{
			{silent(1), silent(4)},
			{silent(1), silent(4)},
			{heard(1), silent(2), silent(4)},
			{heard(1), heard(2)},
		}
		stepping := func(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
			r := direct(target)
			for _, probes := range steps {
				so := *r
				so.Probes, so.Stop = probes, prober.Running
				spec.Progress(&so)
				if err := after(ctx, time.Second); err != nil {
					return nil, err
				}
			}
			return r, nil
		}
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: stepping}))
		defer stop()
		c := p.dial()
		defer c.Close()
		var got []string
		for _, e := range newEventReader(loadLaw(t), open(t, c, goodBody, ndjsonForm).Body, ndjsonForm).all(t) {
			if e.Name == native.EventHop {
				h := dataOf[native.HopChange](t, e).Hop
				got = append(got, fmt.Sprintf("ttl %d: %d sent, %d nodes", h.TTL, h.Sent, len(h.Nodes)))
			}
		}
		want := []string{
			"ttl 1: 1 sent, 0 nodes", "ttl 4: 1 sent, 0 nodes",
			"ttl 1: 1 sent, 1 nodes", "ttl 2: 1 sent, 0 nodes",
			"ttl 2: 1 sent, 1 nodes", "ttl 4: 0 sent, 0 nodes",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// A client that reads slowly gets the latest, not all, and the traces do not
// wait for it.
func TestStreamSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rounds = 1000
		busy := func(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
			r := direct(target)
			for i := range rounds { // 20 s
				if err := after(ctx, 20*time.Millisecond); err != nil {
					return nil, err
				}
				so := *r
				so.Stop, so.Probes = prober.Running, nil
				for range i + 1 {
					so.Probes = append(so.Probes, prober.Probe{TTL: 1})
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
			if e.Name == native.EventHop {
				seen++
				now := dataOf[native.HopChange](t, e).Hop.Sent
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
		endless := func(ctx context.Context, target string, spec prober.Spec) (*prober.Result, error) {
			started := time.Now()
			_, err := walking(1000, reached)(ctx, target, spec)
			stopped <- time.Since(started)
			return nil, err
		}
		var log bytes.Buffer
		h := NewHandler(HandlerConfig{Service: newService(t, &fakeColo{name: "den01", trace: endless}), Log: slog.New(slog.NewTextHandler(&log, nil))})
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
			stopped := make(chan time.Duration, 1)
			stuck := func(ctx context.Context, _ string, _ prober.Spec) (*prober.Result, error) {
				started := time.Now()
				<-ctx.Done()
				stopped <- time.Since(started)
				return nil, ctx.Err()
			}
			p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: stuck}))
			defer stop()
			c := p.dial()
			events := newEventReader(loadLaw(t), open(t, c, goodBody, form).Body, form)
			if e, err := events.next(t); err != nil || e.Name != native.EventStarted {
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

// A panic in mid-stream ends it with an event, whole, and is logged; one
// before the stream has begun is a refusal like any other.
func TestStreamPanic(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			out := func(context.Context, *prober.Result) (*prober.Result, error) { panic("out of cheese") }
			h := NewHandler(HandlerConfig{
				Service: newService(t, &fakeColo{name: "den01", trace: walking(2, out)}, &fakeColo{name: "ams01", trace: walking(9, reached)}),
				Log:     slog.New(slog.NewJSONHandler(&log, nil)),
			})
			p, stop := serve(t, h)
			defer stop()
			c := p.dial()
			defer c.Close()
			resp := open(t, c, goodBody, form)
			events := newEventReader(loadLaw(t), resp.Body, form).all(t)
			if diff := cmp.Diff([]string{"started", "aborted"}, names(events)); diff != "" {
				t.Fatalf("(-want +got):\n%s", diff)
			}
			last := events[len(events)-1]
			if data := dataOf[native.Aborted](t, last); data.Errors[0].Code != 1051 || strings.Contains(string(last.Data), "cheese") {
				t.Errorf("%s", last.Data)
			}
			synctest.Wait()
			for _, want := range []string{"out of cheese", "stream_test.go", resp.Header.Get("cf-ray"), `"status":500`} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not have %q: %s", want, log.String())
				}
			}
		})
	}
}

func TestStreamPanicBeforeItBegins(t *testing.T) {
	for _, form := range streamForms() {
		h := newHandler(t, badName{})
		got := loadLaw(t).askFor(t, h, http.MethodPost, nativePath, goodBody, form.mediaType())
		if got.status != http.StatusInternalServerError || !strings.Contains(string(got.body), `"code":1051`) {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
}

// badName is a colo that cannot say where it is.
type badName struct{}

func (badName) Name() string { return "den01" }
func (badName) City() string { panic("nowhere") }
func (badName) Trace(context.Context, string, prober.Spec) (*prober.Result, error) {
	return nil, errors.New("not reached")
}

// A live stream shows the names that are known so far, and waits for none.
func TestStreamNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &slowNames{from: time.Now(), after: 1500 * time.Millisecond}
		service, err := New(Config{Colos: []Colo{&fakeColo{name: "den01", trace: walking(3, reached)}}, Annotator: slow})
		if err != nil {
			t.Fatal(err)
		}
		p, stop := serve(t, NewHandler(HandlerConfig{Service: service, Log: quiet()}))
		defer stop()
		c := p.dial()
		defer c.Close()
		started := time.Now()
		events := newEventReader(loadLaw(t), open(t, c, goodBody, ndjsonForm).Body, ndjsonForm)
		var got []string
		for _, e := range events.all(t) {
			switch e.Name {
			case native.EventHop:
				n := dataOf[native.HopChange](t, e).Hop.Nodes[0]
				got = append(got, n.Name)
			case native.EventDone:
				for _, hop := range dataOf[native.Done](t, e).Outcome.Trace.Hops {
					got = append(got, "done "+hop.Nodes[0].Name)
				}
			}
		}
		want := []string{"198.51.100.1", "host.example", "done host.example", "done host.example", "done host.example"}
		got = slices.Delete(got, 2, len(got)-3) // the third hop and the end come at one time
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if took := time.Since(started); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// slowNames knows names only after a while; with ctx ended it says what it
// knows at once.
type slowNames struct {
	from  time.Time
	after time.Duration
}

func (*slowNames) Prefetch(netip.Addr) {}

func (s *slowNames) Annotate(ctx context.Context, addrs []netip.Addr) map[netip.Addr]Annotation {
	if wait := s.after - time.Since(s.from); wait > 0 && after(ctx, wait) != nil {
		return nil
	}
	notes := make(map[netip.Addr]Annotation)
	for _, a := range addrs {
		notes[a] = Annotation{Name: "host.example"}
	}
	return notes
}
