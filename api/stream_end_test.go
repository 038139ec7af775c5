package api

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	v1 "probe-agent/api/v1"
	"probe-agent/traceroute"
)

// A panic in mid-stream ends it with an event, whole, and is logged; one
// before the stream has begun is a refusal like any other.
func TestStreamPanic(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			out := func(context.Context, *traceroute.Result) (*traceroute.Result, error) { panic("out of cheese") }
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
			if data := dataOf[v1.Aborted](t, last); data.Errors[0].Code != 1051 || strings.Contains(string(last.Data), "cheese") {
				t.Errorf("%s", last.Data)
			}
			synctest.Wait()
			for _, want := range []string{"out of cheese", "stream_end_test.go", resp.Header.Get("cf-ray"), `"status":500`} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not have %q: %s", want, log.String())
				}
			}
		})
	}
}

// The end of the agent cuts a stream. What was done has been told, and of the
// rest the last events say that it was cut.
func TestStreamCut(t *testing.T) {
	for _, form := range streamForms() {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, &fakeColo{name: "den01"}, &fakeColo{name: "ams01", trace: walking(1000, reached)})
			p, stop := serve(t, h)
			defer stop()
			c := p.dial()
			defer c.Close()
			events := newEventReader(loadLaw(t), open(t, c, goodBody, form).Body, form)
			var got []string
			for len(got) < 3 {
				e, err := events.next(t)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Name)
			}
			drained := h.Drain()
			h.Cut()
			rest := events.all(t)
			<-drained
			got = append(got, names(rest)...)
			if diff := cmp.Diff([]string{"started", "done", "hop", "done", "end"}, got); diff != "" {
				t.Fatalf("%s (-want +got):\n%s", form.mediaType(), diff)
			}
			ends := rest[len(rest)-2:]
			want := &v1.Failure{Code: 2, Reason: "timed-out", Message: "cut short: the agent is shutting down"}
			if diff := cmp.Diff(want, dataOf[v1.Done](t, ends[0]).Outcome.Failure); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if end := dataOf[v1.End](t, ends[1]); end.Traced != 1 || end.Failed != 1 {
				t.Errorf("end %+v", end)
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
func (badName) Trace(context.Context, string, Spec) (*traceroute.Result, error) {
	return nil, errors.New("not reached")
}
