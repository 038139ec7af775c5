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
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "probe-agent/api/v1"
	"probe-agent/traceroute"
)

// opened is the answer to a request for a stream.
type opened struct {
	Header http.Header
	events *eventReader
}

// open asks for a stream over c, which the caller closes. The body is empty for
// GET.
func open(t *testing.T, c net.Conn, path, body, mediaType string, headers ...string) opened {
	t.Helper()
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
		headers = append(headers, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	headers = append(headers, "", body)
	write(t, c, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n%s", method, path, mediaType, strings.Join(headers, "\r\n")))
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != mediaType || resp.Header.Get("X-Accel-Buffering") != "no" ||
		resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("cf-ray") == "" {
		t.Fatalf("%s %v", resp.Status, resp.Header)
	}
	return opened{resp.Header, newEventReader(loadLaw(t), resp.Body, mediaType)}
}

// inBubble runs a test for each form of a stream, with a connection to h.
func inBubble(t *testing.T, newHandler func() *Handler, test func(t *testing.T, h *Handler, p *pipes, c net.Conn, mediaType string)) {
	t.Helper()
	for _, mediaType := range streamTypes() {
		t.Run(mediaType, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler()
				p, stop := serve(t, h)
				defer stop()
				c := p.dial()
				defer c.Close()
				test(t, h, p, c, mediaType)
			})
		})
	}
}

// router is a hop where one node answered all of so many probes.
func router(ttl uint8, sent int) traceroute.Hop {
	const ms = time.Millisecond
	return traceroute.Hop{TTL: ttl, Sent: sent, Nodes: []traceroute.Node{{
		Addr: netip.AddrFrom4([4]byte{198, 51, 100, ttl}), RTT: traceroute.RTT{Count: sent, Min: ms, Mean: ms, Max: ms},
	}}}
}

type liveFunc = func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error)

// walking is a trace that finds a router each second and reports it, until its
// last second, in which it does what end says.
func walking(seconds int, end func(target string) (*traceroute.Result, error)) liveFunc {
	return func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
		for i := range seconds {
			if err := after(ctx, time.Second); err != nil {
				return nil, err
			}
			if i < seconds-1 {
				report(router(uint8(i%60+1), 3+i))
			}
		}
		return end(target)
	}
}

func reached(target string) (*traceroute.Result, error) { return direct(target), nil }

// line is an event in a few words.
func (e event) line(t testing.TB) string {
	switch e.Name {
	case v1.EventStarted:
		line := e.Name
		for _, b := range dataOf[v1.Started](t, e).Traces {
			line += fmt.Sprintf(" %d:%s@%s", b.Trace, b.Target, b.Colo.Name)
		}
		return line
	case v1.EventHop:
		data := dataOf[v1.HopChange](t, e)
		line := fmt.Sprintf("hop %d ttl %d", data.Trace, data.Hop.TTL)
		for _, node := range data.Hop.Nodes {
			line += " " + node.Name
		}
		return line
	case v1.EventDone:
		data := dataOf[v1.Done](t, e)
		if f := data.Outcome.Failure; f != nil {
			return fmt.Sprintf("done %d %s: %s", data.Trace, f.Reason, f.Message)
		}
		return fmt.Sprintf("done %d %s %s", data.Trace, data.Outcome.Trace.Stop, data.Outcome.Trace.Hops[0].Nodes[0].Name)
	case v1.EventEnd:
		data := dataOf[v1.End](t, e)
		return fmt.Sprintf("end %v, %d and %d", time.Duration(data.DurationNS), data.Traced, data.Failed)
	case v1.EventAborted:
		return fmt.Sprintf("aborted %d", dataOf[v1.Aborted](t, e).Errors[0].Code)
	}
	return e.Name
}

// timedLines reads a stream to its end: each event with the time when it came.
func (r *eventReader) timedLines(t testing.TB) (lines []string) {
	t.Helper()
	started := time.Now()
	for {
		e, err := r.next(t)
		if errors.Is(err, io.EOF) {
			return lines
		}
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%v %s", time.Since(started), e.line(t)))
	}
}

// Each hop comes when it is found, with the names that are known by then, and
// not when all is over; one that is beyond the end of the path is taken back.
func TestStreamIsLive(t *testing.T) {
	inBubble(t, func() *Handler {
		names := &slowNames{from: time.Now(), after: 1500 * time.Millisecond}
		walk := func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
			report(traceroute.Hop{TTL: 9, Sent: 1, Pending: 1})
			r, err := walking(4, reached)(ctx, target, report)
			report(traceroute.Hop{TTL: 9}, traceroute.Hop{TTL: 10})
			return r, errors.Join(err, after(ctx, time.Second))
		}
		s := newNamedService(t, names, &fakeColo{name: "den01", live: walk}, &fakeColo{name: "ams01", trace: failing(&traceroute.Failure{Code: traceroute.Unresolved, Reason: "no such host"})})
		return New(Config{Service: s, Log: quiet()})
	}, func(t *testing.T, _ *Handler, _ *pipes, c net.Conn, mediaType string) {
		resp := open(t, c, nativePath, goodBody, mediaType)
		first, err := resp.events.next(t)
		if err != nil {
			t.Fatal(err)
		}
		started := dataOf[v1.Started](t, first)
		if started.RequestID != resp.Header.Get("cf-ray") || nativePath+"/"+started.TraceID != resp.Header.Get("Location") {
			t.Errorf("%+v of %v", started, resp.Header)
		}
		got := append([]string{first.line(t)}, resp.events.timedLines(t)...)
		want := []string{
			"started 0:192.0.2.1@den01 1:192.0.2.1@ams01",
			"0s hop 0 ttl 9",
			"0s done 1 unresolved: no such host",
			"1s hop 0 ttl 1 198.51.100.1",
			"2s hop 0 ttl 2 host.example",
			"3s hop 0 ttl 3 host.example",
			"4s hop 0 ttl 9",
			"5s done 0 reached host.example",
			"5s end 5s, 1 and 1",
		}
		if got[1] > got[2] {
			got[1], got[2] = got[2], got[1] // two traces at one time
		}
		if got[1] > got[2] || cmp.Diff(want, got) != "" {
			want[1], want[2] = want[2], want[1]
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

// slowNames knows names only after a while; with ctx ended it returns what it
// knows at once.
type slowNames struct {
	from  time.Time
	after time.Duration
}

func (*slowNames) Prefetch(netip.Addr) {}

func (s *slowNames) Annotate(ctx context.Context, addrs []netip.Addr) traceroute.Notes {
	if wait := s.after - time.Since(s.from); wait > 0 && after(ctx, wait) != nil {
		return nil
	}
	notes := make(traceroute.Notes)
	for _, a := range addrs {
		notes[a] = traceroute.Note{Name: "host.example"}
	}
	return notes
}

// In quiet times heartbeats come, and they are no events.
func TestStreamHeartbeat(t *testing.T) {
	inBubble(t, func() *Handler {
		return newHandler(t, &fakeColo{name: "den01", live: func(ctx context.Context, target string, _ func(...traceroute.Hop)) (*traceroute.Result, error) {
			return direct(target), after(ctx, 35*time.Second)
		}})
	}, func(t *testing.T, _ *Handler, _ *pipes, c net.Conn, mediaType string) {
		events := open(t, c, nativePath, goodBody, mediaType).events
		if diff := cmp.Diff([]string{"started", "done", "end"}, names(events.all(t))); diff != "" || events.beats != 3 {
			t.Errorf("%d heartbeats in 35 s (-want +got):\n%s", events.beats, diff)
		}
	})
}

// A client that reads slowly gets the latest, not all, and the traces do not
// wait for it.
func TestStreamSlowReader(t *testing.T) {
	const rounds, each = 1000, 20 * time.Millisecond // 20 s
	inBubble(t, func() *Handler {
		return newHandler(t, &fakeColo{name: "den01", live: func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
			for i := range rounds {
				if err := after(ctx, each); err != nil {
					return nil, err
				}
				report(router(1, i+1))
			}
			return direct(target), nil
		}})
	}, func(t *testing.T, _ *Handler, _ *pipes, c net.Conn, mediaType string) {
		started := time.Now()
		events := open(t, c, nativePath, goodBody, mediaType).events
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
				// What was written last is one pause old, not one of a queue.
				if behind := time.Since(started) - time.Duration(now)*each; now <= sent || behind > 1200*time.Millisecond {
					t.Errorf("a hop with %d sent after one with %d, %v old", now, sent, behind)
				}
				sent = now
			}
			if err := after(t.Context(), 500*time.Millisecond); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(started); seen < 20 || seen > 50 || took > 25*time.Second {
			t.Errorf("%d of %d changes seen at two a second, in %v", seen, rounds, took)
		}
	})
}

// A client that does not read at all loses its trace, and one that goes ends it
// at once.
func TestStreamEndsWithItsClient(t *testing.T) {
	for name, tt := range map[string]struct {
		leaves bool
		within time.Duration
	}{
		"stuck": {false, time.Second + 10*time.Second + time.Second}, // the hop after a second is stuck
		"gone":  {true, 2500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var stopped chan time.Duration
			var log *lines
			inBubble(t, func() *Handler {
				stopped, log = make(chan time.Duration, 1), new(lines)
				return New(Config{Log: slog.New(slog.NewTextHandler(log, nil)), Service: newService(t, &fakeColo{name: "den01", live: func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
					started := time.Now()
					_, err := walking(1000, reached)(ctx, target, report)
					stopped <- time.Since(started)
					return nil, err
				}})})
			}, func(t *testing.T, _ *Handler, _ *pipes, c net.Conn, mediaType string) {
				events := open(t, c, nativePath, goodBody, mediaType).events
				if tt.leaves {
					for range 3 { // 2 s
						if _, err := events.next(t); err != nil {
							t.Fatal(err)
						}
					}
					c.Close()
				}
				if took := <-stopped; took > tt.within {
					t.Errorf("traced for %v", took)
				}
				synctest.Wait()
				if !strings.Contains(log.text.String(), "status=499") {
					t.Errorf("log: %s", log.text.String())
				}
			})
		})
	}
}

// A panic in mid-stream ends it with an event, whole, and is logged once. A later
// reader gets the same event.
func TestStreamPanic(t *testing.T) {
	var log *bytes.Buffer
	inBubble(t, func() *Handler {
		log = new(bytes.Buffer)
		out := func(string) (*traceroute.Result, error) { panic("out of cheese") }
		s := newService(t, &fakeColo{name: "den01", live: walking(2, out)}, &fakeColo{name: "ams01", live: walking(9, reached)})
		return New(Config{Service: s, Log: slog.New(slog.NewJSONHandler(log, nil)), Kept: keptLimits()})
	}, func(t *testing.T, h *Handler, p *pipes, c net.Conn, mediaType string) {
		resp := open(t, c, nativePath, goodBody, mediaType)
		events := resp.events.all(t)
		last := events[len(events)-1]
		if last.line(t) != "aborted 1051" || strings.Contains(string(last.Data), "cheese") {
			t.Errorf("%s", last.Data)
		}
		synctest.Wait()
		for _, want := range []string{"out of cheese", "stream_test.go", resp.Header.Get("cf-ray"), `"status":500`} {
			if strings.Count(log.String(), want) == 0 {
				t.Errorf("the log does not have %q: %s", want, log.String())
			}
		}
		location := resp.Header.Get("Location")
		if got := loadLaw(t).ask(t, h, http.MethodGet, location, ""); got.status != http.StatusInternalServerError {
			t.Errorf("afterwards: %d %s", got.status, got.body)
		}
		again := p.dial()
		defer again.Close()
		if events := open(t, again, location+"/events", "", mediaType).events.all(t); events[len(events)-1].line(t) != "aborted 1051" {
			t.Errorf("afterwards: %+v", events)
		}
		if n := strings.Count(log.String(), `"msg":"panic"`); n != 1 {
			t.Errorf("logged %d times", n)
		}
	})
}
