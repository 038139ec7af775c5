package api

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// A reader that comes back gets what has changed since the event that it names,
// in either way of naming it; when there is nothing more, 204.
func TestEventsResume(t *testing.T) {
	inBubble(t, func() *Handler { return newHandler(t, unequal()) }, func(t *testing.T, h *Handler, p *pipes, c net.Conn, mediaType string) {
		l := loadLaw(t)
		_, result := l.request(t, h, http.MethodPost, nativePath, twoTargets, "Prefer: respond-async")
		path := nativePath + "/" + result.TraceID + "/events"
		first := open(t, c, path, "", mediaType).events
		var got []string
		var last event
		for range 4 { // 2 s
			var err error
			if last, err = first.next(t); err != nil {
				t.Fatal(err)
			}
			got = append(got, last.line(t))
		}
		c.Close()             // which ends nothing
		slices.Sort(got[1:3]) // two traces at one time
		if diff := cmp.Diff([]string{"started 0:192.0.2.1@den01 1:192.0.2.2@den01", "done 0 reached 192.0.2.1", "hop 1 ttl 1 198.51.100.1", "hop 1 ttl 2 198.51.100.2"}, got); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if got, _ := l.request(t, h, http.MethodGet, fmt.Sprintf("%s?after=%d", path, last.ID+100), ""); got.status != http.StatusBadRequest {
			t.Errorf("an id that there is not yet: %d %s", got.status, got.body)
		}
		time.Sleep(3500 * time.Millisecond)
		again := p.dial()
		defer again.Close()
		rest := open(t, again, path, "", mediaType, fmt.Sprintf("Last-Event-ID: %d", last.ID)).events
		want := []string{
			"0s hop 1 ttl 3 198.51.100.3", "0s hop 1 ttl 4 198.51.100.4", "0s hop 1 ttl 5 198.51.100.5",
			"500ms hop 1 ttl 6 198.51.100.6", "1.5s hop 1 ttl 7 198.51.100.7", "2.5s hop 1 ttl 8 198.51.100.8", "3.5s hop 1 ttl 9 198.51.100.9",
			"4.5s done 1 reached 192.0.2.2", "4.5s end 10s, 2 and 0",
		}
		if diff := cmp.Diff(want, rest.timedLines(t)); diff != "" {
			t.Errorf("resumed (-want +got):\n%s", diff)
		}
		// The run has been recorded by now: hops are gone, the rest is the same.
		synctest.Wait()
		whole := p.dial()
		defer whole.Close()
		if diff := cmp.Diff([]string{"0s started 0:192.0.2.1@den01 1:192.0.2.2@den01", "0s done 0 reached 192.0.2.1", "0s done 1 reached 192.0.2.2", "0s end 10s, 2 and 0"},
			open(t, whole, path+"?after=0", "", mediaType).events.timedLines(t)); diff != "" {
			t.Errorf("from the beginning (-want +got):\n%s", diff)
		}
		tail := p.dial()
		defer tail.Close()
		if diff := cmp.Diff([]string{"0s end 10s, 2 and 0"}, open(t, tail, fmt.Sprintf("%s?after=%d", path, rest.last-1), "", mediaType).events.timedLines(t)); diff != "" {
			t.Errorf("the end (-want +got):\n%s", diff)
		}
		if got, _ := l.request(t, h, http.MethodGet, fmt.Sprintf("%s?after=%d", path, rest.last), "", "Accept: "+mediaType); got.status != http.StatusNoContent || len(got.body) > 0 {
			t.Errorf("after the end: %d %s", got.status, got.body)
		}
	})
}

// The whole answer, GET and every stream have the same bytes for a trace.
func TestOutcomesAreTheSameBytes(t *testing.T) {
	h, l := newHandler(t, &fakeColo{name: "den01"}), loadLaw(t)
	whole, result := l.request(t, h, http.MethodPost, nativePath, goodBody)
	location := nativePath + "/" + result.TraceID
	_, outcomes, _ := bytes.Cut(whole.body, []byte(`"traces":[`))
	outcome, _, _ := bytes.Cut(outcomes, []byte(`]},"success"`))
	again, _ := l.request(t, h, http.MethodGet, location, "")
	if !bytes.Equal(whole.body, again.body) {
		t.Errorf("%s\n%s", whole.body, again.body)
	}
	for _, mediaType := range streamTypes() {
		stream, _ := l.request(t, h, http.MethodGet, location+"/events", "", "Accept: "+mediaType)
		if !bytes.Contains(stream.body, fmt.Appendf(nil, `{"trace":0,"outcome":%s}`, outcome)) {
			t.Errorf("%s lacks %s:\n%s", mediaType, outcome, stream.body)
		}
	}
}

// Streams ignore the preference: their traces end with the connection.
func TestStreamsAreNotAsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t, newHandler(t, unequal()))
		defer stop()
		c := p.dial()
		defer c.Close()
		resp := open(t, c, nativePath, twoTargets, asNDJSON, "Prefer: respond-async")
		if got := resp.Header.Get("Preference-Applied"); got != "" {
			t.Errorf("Preference-Applied: %s", got)
		}
		if _, err := io.Copy(io.Discard, resp.events.lines); err != nil {
			t.Error(err)
		}
	})
}

// A panic of a detached run is logged once, under the id of its request, and
// shown to every reader of the trace.
func TestDetachedPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lines
		limiter := newLimiter(t, quota.Default())
		bad := &fakeColo{name: "den01", live: walking(2, func(string) (*traceroute.Result, error) { panic("out of cheese") })}
		h := New(Config{Service: newService(t, bad), Log: slog.New(slog.NewTextHandler(&log, nil)), Limiter: limiter, Kept: keptLimits()})
		l := loadLaw(t)
		posted, result := l.request(t, h, http.MethodPost, nativePath, goodBody, "Prefer: respond-async")
		events, _ := l.request(t, h, http.MethodGet, nativePath+"/"+result.TraceID+"/events", "")
		if posted.status != http.StatusAccepted || !strings.Contains(string(events.body), `"event":"aborted"`) {
			t.Errorf("%d, %s", posted.status, events.body)
		}
		synctest.Wait()
		got, _ := l.request(t, h, http.MethodGet, nativePath+"/"+result.TraceID, "")
		if got.status != http.StatusInternalServerError || !strings.Contains(string(got.body), result.RequestID) || strings.Contains(string(got.body), "cheese") {
			t.Errorf("%d %s", got.status, got.body)
		}
		text := log.text.String()
		if strings.Count(text, "msg=panic ray="+result.RequestID) != 1 || strings.Count(text, "msg=panic") != 1 || !strings.Contains(text, "events_test.go") {
			t.Errorf("log %s", text)
		}
		if s := limiter.Stats(); s.Admitted+s.Running+s.Waiting != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}
