package api

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/quota"
	"probe-agent/traceroute"
)

// request sends one request to h, judges the exchange, and returns the answer
// with the state of the resource in it.
func (l law) request(t testing.TB, h http.Handler, method, path, body string, headers ...string) (answer, tracesResult) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	a := answer{status: w.Code, header: w.Header(), body: w.Body.Bytes()}
	l.judge(t, r, []byte(body), a.status, a.header, a.body)
	if a.header.Get("Content-Type") != "application/json" || a.status >= 300 {
		return a, tracesResult{}
	}
	return a, decodeTraces(t, a.body)
}

// states lists what is known of each trace.
func (r *tracesResult) states() string {
	line := r.State
	for _, o := range r.Traces {
		switch {
		case o.Failure != nil:
			line += " " + o.Failure.Message
		case o.Trace != nil:
			line += " " + o.Trace.Stop
		case o.TookNS == nil:
			line += " running"
		}
	}
	return line
}

const twoTargets = `{"targets":["192.0.2.1","192.0.2.2"]}`

// unequal answers the first target after a second, and reports a hop of the
// second each second until the tenth.
func unequal() *fakeColo {
	return &fakeColo{name: "den01", live: func(ctx context.Context, target string, report func(...traceroute.Hop)) (*traceroute.Result, error) {
		if target == "192.0.2.1" {
			return direct(target), after(ctx, time.Second)
		}
		return walking(10, reached)(ctx, target, report)
	}}
}

// A request that prefers not to wait is answered as soon as it is admitted, and
// goes on by itself, holding its place in the limits until it ends.
func TestRespondAsync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := quota.Default()
		limits.Requests, limits.Window = 5, time.Minute
		limiter := newLimiter(t, limits)
		h := New(Config{Service: newService(t, unequal()), Log: quiet(), Limiter: limiter, Kept: keptLimits()})
		l := loadLaw(t)
		ctx, leave := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, nativePath, strings.NewReader(twoTargets))
		r.Header.Set("Prefer", "respond-async")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		leave() // which ends nothing
		l.judge(t, r, []byte(twoTargets), w.Code, w.Header(), w.Body.Bytes())
		first := decodeTraces(t, w.Body.Bytes())
		location := w.Header().Get("Location")
		if w.Code != http.StatusAccepted || w.Header().Get("Preference-Applied") != "respond-async" || first.states() != "running running running" || first.DurationNS != nil || location != nativePath+"/"+first.TraceID {
			t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		steps := []struct {
			wait    time.Duration
			status  int
			states  string
			running int // traces
		}{
			{500 * time.Millisecond, 200, "running running running", 2},
			{time.Second, 200, "running reached running", 1},
			{10 * time.Second, 200, "done reached reached", 0},
			{time.Second, 200, "done reached reached", 0},
			{time.Second, 429, "", 0}, // reading counts
			{time.Minute, 200, "done reached reached", 0},
			{15 * time.Minute, 404, "", 0},
		}
		for i, step := range steps {
			time.Sleep(step.wait)
			synctest.Wait()
			got, result := l.request(t, h, http.MethodGet, location, "")
			if got.status != step.status || result.states() != step.states || limiter.Stats().Running != step.running {
				t.Errorf("step %d: %d %q, %d run; want %+v", i, got.status, result.states(), limiter.Stats().Running, step)
			}
			if step.status == 200 && result.RequestID != first.RequestID {
				t.Errorf("step %d: request %s, want %s", i, result.RequestID, first.RequestID)
			}
		}
	})
}

// What is not admitted is refused, whatever it prefers, and keeps nothing.
func TestRespondAsyncIsAdmitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := quota.Default()
		limits.Traces, limits.Wait = 1, time.Second
		limiter := newLimiter(t, limits)
		h := New(Config{Service: newService(t, unequal()), Log: quiet(), Limiter: limiter, Kept: keptLimits()})
		l := loadLaw(t)
		started := time.Now()
		if got, _ := l.request(t, h, http.MethodPost, nativePath, `{"targets":["192.0.2.2"]}`, "Prefer: respond-async"); got.status != http.StatusAccepted {
			t.Errorf("the first: %d", got.status)
		}
		if got, _ := l.request(t, h, http.MethodPost, nativePath, goodBody, "Prefer: respond-async"); got.status != http.StatusServiceUnavailable || time.Since(started) != time.Second {
			t.Errorf("the second: %d after %v", got.status, time.Since(started))
		}
		drained := h.Drain()
		<-drained // the detached run is waited for
		if took := time.Since(started); took != 10*time.Second {
			t.Errorf("drained after %v", took)
		}
	})
}

// A request is cancelled by DELETE, and by its client's leaving unless it is
// detached. What had ended by then stays.
func TestCancel(t *testing.T) {
	const cancelled = "cancelled reached cancelled"
	for name, cancel := range map[string]func(t *testing.T, l law, h *Handler, location string, leave context.CancelFunc){
		"DELETE": func(t *testing.T, l law, h *Handler, location string, _ context.CancelFunc) {
			if got, result := l.request(t, h, http.MethodDelete, location, ""); got.status != http.StatusOK || result.states() != cancelled {
				t.Errorf("DELETE: %d %s", got.status, got.body)
			}
		},
		"client": func(_ *testing.T, _ law, _ *Handler, _ string, leave context.CancelFunc) { leave() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h, l := newHandler(t, unequal()), loadLaw(t)
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				answered := make(chan struct{})
				w := httptest.NewRecorder()
				go func() {
					defer close(answered)
					r := httptest.NewRequestWithContext(ctx, http.MethodPost, nativePath, strings.NewReader(twoTargets))
					r.Header.Set("Accept", asNDJSON)
					h.ServeHTTP(w, r)
				}()
				time.Sleep(2500 * time.Millisecond)
				synctest.Wait()
				location := w.Header().Get("Location")
				started := time.Now()
				cancel(t, l, h, location, leave)
				<-answered
				if took := time.Since(started); took != 0 {
					t.Errorf("it went on for %v", took)
				}
				for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodDelete} {
					synctest.Wait()
					if got, result := l.request(t, h, method, location, ""); got.status != http.StatusOK || result.states() != cancelled || *result.DurationNS != int64(2500*time.Millisecond) {
						t.Errorf("%s afterwards: %d %s", method, got.status, result.states())
					}
				}
			})
		})
	}
}

// What names no event, or in a form that there is not, is refused; and so is
// what another account asks for, as if it were unknown.
func TestResourceRefusals(t *testing.T) {
	k := newKeyring(t)
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry, Kept: keptLimits()})
	l := loadLaw(t)
	ops, key := "Authorization: "+k.shown("Bearer {ops}"), []string{"X-Auth-Email: ops@example.org", "X-Auth-Key: " + k.secrets["key"]}
	_, mine := l.request(t, h, http.MethodPost, nativePath, goodBody, ops)
	trace, events := nativePath+"/"+mine.TraceID, nativePath+"/"+mine.TraceID+"/events"
	unknown := nativePath + "/" + strings.Repeat("A", 26)
	tests := []struct {
		method, path string
		headers      []string
		status, code int
	}{
		{"GET", trace, []string{ops}, 200, 0},
		{"HEAD", trace, []string{ops}, 200, 0},
		{"GET", trace, key, 200, 0}, // of the same account
		{"GET", trace, nil, 403, 10000},
		{"DELETE", trace, nil, 403, 10000},
		{"GET", events, nil, 403, 10000},
		{"GET", unknown, []string{ops}, 404, 1010},
		{"GET", nativePath + "/x", []string{ops}, 404, 1010},
		{"DELETE", unknown, []string{ops}, 404, 1010},
		{"GET", unknown + "/events", []string{ops}, 404, 1010},
		{"GET", nativePath + "/", []string{ops}, 404, 7003},
		{"GET", trace + "/x", []string{ops}, 404, 7003},
		{"POST", trace, []string{ops}, 405, 7001},
		{"PUT", events, []string{ops}, 405, 7001},
		{"GET", events, []string{ops, "Accept: application/json"}, 406, 1008},
		{"GET", events, []string{ops, "Accept: */*"}, 200, 0},
		{"GET", events + "?after=1", []string{ops}, 200, 0},
		{"GET", events + "?after=1", []string{ops, "Last-Event-ID: x"}, 400, 1011},
		{"GET", events + "?after=-1", []string{ops, "Last-Event-ID: 1"}, 200, 0}, // the header counts
		{"GET", events, []string{ops, "Last-Event-ID: 1", "Last-Event-ID: 1"}, 400, 1011},
		{"GET", events + "?after=", []string{ops}, 400, 1011},
		{"GET", events + "?after=1.5", []string{ops}, 400, 1011},
		{"GET", events + "?after=+1", []string{ops}, 400, 1011},
		{"GET", events + "?after=1&after=1", []string{ops}, 400, 1011},
		{"GET", events + "?after=9999999999999999999", []string{ops}, 400, 1011},
		{"GET", events + "?after=4", []string{ops}, 400, 1011}, // the end is 3
		{"GET", events + "?after=%zz", []string{ops}, 400, 1011},
		{"GET", events + "?other=x", []string{ops}, 200, 0},
	}
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), tt.method, "/", http.NoBody)
		r.URL.Path, r.URL.RawQuery, _ = strings.Cut(tt.path, "?")
		for _, header := range tt.headers {
			name, value, _ := strings.Cut(header, ": ")
			r.Header.Add(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if tt.status != 200 {
			l.judge(t, r, nil, w.Code, w.Header(), w.Body.Bytes())
		}
		if w.Code != tt.status || tt.code != 0 && !strings.Contains(w.Body.String(), fmt.Sprintf(`"errors":[{"code":%d,`, tt.code)) {
			t.Errorf("%s %s: %d %s, want %d, %d", tt.method, tt.path, w.Code, w.Body, tt.status, tt.code)
		}
	}
	// Another account's trace is one that there is not, to the byte.
	other := newKeyring(t)
	if err := k.registry.Replace(otherAccount(other)); err != nil {
		t.Fatal(err)
	}
	theirs := "Authorization: " + other.shown("Bearer {ops}")
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		foreign, _ := l.request(t, h, method, trace, "", theirs)
		absent, _ := l.request(t, h, method, unknown, "", theirs)
		if foreign.status != http.StatusNotFound || !bytes.Equal(foreign.body, absent.body) {
			t.Errorf("%s: %d %s, and %s", method, foreign.status, foreign.body, absent.body)
		}
	}
}

// An agent that keeps nothing still runs, follows and cancels.
func TestKeepNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := New(Config{Service: newService(t, unequal()), Log: quiet()})
		l := loadLaw(t)
		_, result := l.request(t, h, http.MethodPost, nativePath, twoTargets, "Prefer: respond-async")
		location := nativePath + "/" + result.TraceID
		if _, result := l.request(t, h, http.MethodGet, location, ""); result.State != "running" {
			t.Errorf("while it runs: %+v", result)
		}
		if _, result := l.request(t, h, http.MethodDelete, location, ""); result.State != "cancelled" {
			t.Errorf("DELETE: %+v", result)
		}
		synctest.Wait()
		if got, _ := l.request(t, h, http.MethodGet, location, ""); got.status != http.StatusNotFound {
			t.Errorf("afterwards: %d", got.status)
		}
	})
}
