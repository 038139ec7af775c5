package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	v1 "probe-agent/api/v1"
	"probe-agent/traceroute"
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
func walking(hops int, end func(ctx context.Context, r *traceroute.Result) (*traceroute.Result, error)) func(context.Context, string, Spec) (*traceroute.Result, error) {
	return func(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
		r := direct(target)
		answered := r.Probes
		r.Probes, r.Stop = nil, traceroute.Running
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

func reached(_ context.Context, r *traceroute.Result) (*traceroute.Result, error) {
	done := *r
	done.Stop = traceroute.Reached
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
				case v1.EventStarted:
					data := dataOf[v1.Started](t, e)
					for _, b := range data.Traces {
						line += fmt.Sprintf(" %d:%s@%s", b.Trace, b.Target, b.Colo.Name)
					}
					if data.RequestID != resp.Header.Get("cf-ray") {
						t.Errorf("request %s, cf-ray %s", data.RequestID, resp.Header.Get("cf-ray"))
					}
				case v1.EventHop:
					data := dataOf[v1.HopChange](t, e)
					line += fmt.Sprintf(" %d %d %s", data.Trace, data.Hop.TTL, data.Hop.Nodes[0].IP)
				case v1.EventDone:
					data := dataOf[v1.Done](t, e)
					line += fmt.Sprintf(" %d", data.Trace)
					if f := data.Outcome.Failure; f != nil {
						line += " " + f.Reason
					} else {
						line += fmt.Sprintf(" %s %d hops", data.Outcome.Trace.Stop, len(data.Outcome.Trace.Hops))
					}
				case v1.EventEnd:
					data := dataOf[v1.End](t, e)
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

// A hop that turns out to be beyond the end of the path is taken back; hops
// that nothing was sent to yet, and those that are as before, are not told.
func TestStreamTellsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := func(ttl uint8) traceroute.Probe { return traceroute.Probe{TTL: ttl} }
		heard := func(ttl uint8) traceroute.Probe {
			return traceroute.Probe{TTL: ttl, Answer: exceeded("198.51.100.1", time.Millisecond)}
		}
		steps := [][]traceroute.Probe{
			{silent(1), silent(4)},
			{silent(1), silent(4)},
			{heard(1), silent(2), silent(4)},
			{heard(1), heard(2)},
		}
		stepping := func(ctx context.Context, target string, spec Spec) (*traceroute.Result, error) {
			r := direct(target)
			for _, probes := range steps {
				so := *r
				so.Probes, so.Stop = probes, traceroute.Running
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
			if e.Name == v1.EventHop {
				h := dataOf[v1.HopChange](t, e).Hop
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
			case v1.EventHop:
				n := dataOf[v1.HopChange](t, e).Hop.Nodes[0]
				got = append(got, n.Name)
			case v1.EventDone:
				for _, hop := range dataOf[v1.Done](t, e).Outcome.Trace.Hops {
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
