package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
	"probe-agent/quota"
	"probe-agent/traceroute"
)

const goodBody = `{"targets":["192.0.2.1"]}`

func TestRoutes(t *testing.T) {
	tests := []struct {
		method, path string
		status, code int
		allow        string
	}{
		{"POST", endpoint, 200, 0, ""},
		{"POST", "/accounts/a/diagnostics/traceroute", 200, 0, ""},
		{"POST", "/accounts/" + strings.Repeat("a", 32) + "/diagnostics/traceroute", 200, 0, ""},
		{"POST", "/accounts/A-z_9/diagnostics/traceroute?x=1", 200, 0, ""},
		{"POST", "/accounts/" + strings.Repeat("a", 33) + "/diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/accounts//diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/accounts/a.b/diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/accounts/a%20b/diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/accounts/a%2Fb/diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/accounts/a/diagnostics/traceroute/", 404, 7003, ""},
		{"POST", "/client/v5/accounts/a/diagnostics/traceroute", 404, 7003, ""},
		{"POST", "/", 404, 7003, ""},
		{"GET", "/", 404, 7003, ""},
		{"GET", "/favicon.ico", 404, 7003, ""},
		{"GET", endpoint, 405, 7001, "POST"},
		{"HEAD", endpoint, 405, 7001, "POST"},
		{"PUT", endpoint, 405, 7001, "POST"},
		{"DELETE", "/accounts/a/diagnostics/traceroute", 405, 7001, "POST"},
		{"OPTIONS", endpoint, 405, 7001, "POST"},
		{"GET", "/accounts/a%2Fb/diagnostics/traceroute", 405, 7001, "POST"},
		{"BREW", endpoint, 405, 7001, "POST"},
		{"BREW", "/nowhere", 404, 7003, ""},
		{"OPTIONS", "*", 404, 7003, ""},
		{"POST", "/healthz", 405, 7001, "GET, HEAD"},
		{"OPTIONS", "/readyz", 405, 7001, "GET, HEAD"},
		{"GET", "/healthz", 200, 0, ""},
		{"GET", "/readyz", 200, 0, ""},
		{"HEAD", "/healthz", 200, 0, ""},
		{"HEAD", "/readyz", 200, 0, ""},
	}
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01"})
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			got := l.ask(t, h, tt.method, tt.path, goodBody)
			if got.status != tt.status || got.header.Get("Allow") != tt.allow {
				t.Errorf("status %d, Allow %q; want %d, %q", got.status, got.header.Get("Allow"), tt.status, tt.allow)
			}
			var envelope struct{ Errors []envelope.Message }
			if err := json.Unmarshal(got.body, &envelope); err != nil {
				t.Fatal(err)
			}
			var want []fault
			if tt.code != 0 {
				want = []fault{{Code: tt.code}}
			}
			if diff := cmp.Diff(want, faultsOf(envelope.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContentTypeDoesNotMatter(t *testing.T) {
	h := newHandler(t, &fakeColo{name: "den01"})
	for _, contentType := range []string{"", "application/json", "text/plain", "application/x-www-form-urlencoded", ";;"} {
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(goodBody))
		if contentType != "" {
			req.Header.Set("Content-Type", contentType)
		}
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, req)
		if rec.Code != http.StatusOK {
			t.Errorf("Content-Type %q: status %d: %s", contentType, rec.Code, rec.Body)
		}
	}
}

// unread is a body that nobody may read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("read a body that nobody may read")
	return 0, errors.New("unread")
}

func TestAnnouncedBodyIsNotRead(t *testing.T) {
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, unread{t})
	req.ContentLength = body.MaxSize + 1
	rec := httptest.NewRecorder()
	newHandler(t, &fakeColo{name: "den01"}).ServeHTTP(rec, req)
	if rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d", rec.Code)
	}
}

func TestAbandonedRequest(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	stuck := func(ctx context.Context, _ string, _ traceroute.Spec) (*traceroute.Result, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h := New(Config{Service: newService(t, &fakeColo{name: "den01", trace: stuck}), Log: slog.New(slog.NewJSONHandler(&log, nil))})
	rec := httptest.NewRecorder()
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("panic %v, want one that drops the connection", v)
			}
		}()
		h.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(goodBody)))
	}()
	if rec.Body.Len() != 0 {
		t.Errorf("answered nobody: %s", rec.Body)
	}
	if !strings.Contains(log.String(), `"status":499`) {
		t.Errorf("log %s", log.String())
	}
}

func TestReadiness(t *testing.T) {
	l := loadLaw(t)
	var broken error
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Ready: func() error { return broken }})
	if got := l.ask(t, h, http.MethodGet, "/readyz", ""); got.status != http.StatusOK || string(got.body) != `{"result":{"status":"ok"},"success":true,"errors":[],"messages":[]}`+"\n" {
		t.Errorf("ready: %d %s", got.status, got.body)
	}
	broken = errors.New("no raw socket")
	got := l.ask(t, h, http.MethodGet, "/readyz", "")
	if got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "no raw socket") || got.header.Get("Retry-After") == "" {
		t.Errorf("not ready: %d %s", got.status, got.body)
	}
	if got := l.ask(t, h, http.MethodGet, "/healthz", ""); got.status != http.StatusOK {
		t.Errorf("alive but not ready: healthz %d", got.status)
	}
}

func TestDrain(t *testing.T) {
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01"})
	h.Drain()
	for path, method := range map[string]string{endpoint: http.MethodPost, "/readyz": http.MethodGet} {
		got := l.ask(t, h, method, path, goodBody)
		if got.status != http.StatusServiceUnavailable || got.header.Get("x-should-retry") != "false" || got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), `"code":1050`) {
			t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
		}
	}
	if got := l.ask(t, h, http.MethodGet, "/healthz", ""); got.status != http.StatusOK {
		t.Errorf("healthz %d", got.status)
	}
}

// Requests that are cut off are answered: traces that were done are in the
// answer, and each of the others says that it was cut.
func TestCut(t *testing.T) {
	l := loadLaw(t)
	quick, slow := make(chan struct{}), make(chan struct{})
	trace := func(ctx context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		if target == "192.0.2.1" {
			close(quick)
			return direct(target), nil
		}
		<-quick
		close(slow)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	h := newHandler(t, &fakeColo{name: "den01", trace: trace})
	answered := make(chan answer)
	go func() {
		answered <- l.ask(t, h, http.MethodPost, endpoint, `{"targets":["192.0.2.1","192.0.2.2"]}`)
	}()
	<-slow
	drained := h.Drain()
	h.Cut()
	<-drained
	got := <-answered
	if got.status != http.StatusOK {
		t.Errorf("status %d", got.status)
	}
	for _, part := range []string{
		`"target":"192.0.2.1","colos":[{"colo":{"name":"den01","city":"City of den01"},"traceroute_time_ms":155,`,
		`"error":"Could not gather traceroute data: Code 2"`,
		`{"code":1002,"message":"den01 → 192.0.2.2: cut short: the agent is shutting down"}`,
	} {
		if !strings.Contains(string(got.body), part) {
			t.Errorf("the answer lacks %s: %s", part, got.body)
		}
	}
}

func TestGate(t *testing.T) {
	l := loadLaw(t)
	inside, leave := make(chan struct{}), make(chan struct{})
	held := func(_ context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		inside <- struct{}{}
		<-leave
		return direct(target), nil
	}
	h := New(Config{Service: newService(t, &fakeColo{name: "ams01", trace: held}), Log: quiet(), Limiter: tightLimits(t)})
	done := make(chan int)
	for range 2 {
		go func() {
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader(goodBody)))
			done <- rec.Code
		}()
		<-inside
	}
	got := l.ask(t, h, http.MethodPost, endpoint, goodBody)
	if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "5" || got.header.Get("x-should-retry") != "false" {
		t.Errorf("a third request: %d %v", got.status, got.header)
	}
	close(leave)
	for range 2 {
		if status := <-done; status != http.StatusOK {
			t.Errorf("a request inside: status %d", status)
		}
	}
	go func() { <-inside }()
	if got := l.ask(t, h, http.MethodPost, endpoint, goodBody); got.status != http.StatusOK {
		t.Errorf("after the rush: %d", got.status)
	}
}

func TestLogLine(t *testing.T) {
	var log bytes.Buffer
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: slog.New(slog.NewJSONHandler(&log, nil))})
	l := loadLaw(t)
	got := l.ask(t, h, http.MethodPost, endpoint, `{"targets":["192.0.2.1","192.0.2.2"]}`)
	l.ask(t, h, http.MethodGet, "/healthz", "")
	var line struct {
		Msg, Method, Path, Ray, Remote string
		Status, Targets                int
		Duration                       *int64
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil { // fails on a second line
		t.Fatalf("%v: %s", err, log.String())
	}
	if line.Duration == nil || line.Method != http.MethodPost || line.Path != endpoint || line.Status != 200 || line.Targets != 2 || line.Remote == "" || line.Ray != got.header.Get("cf-ray") {
		t.Errorf("%s", log.String())
	}
	if !regexp.MustCompile(`^[0-9a-f]{16}-den01$`).MatchString(line.Ray) {
		t.Errorf("ray %q", line.Ray)
	}
	if again := l.ask(t, h, http.MethodGet, "/healthz", ""); again.header.Get("cf-ray") == line.Ray {
		t.Error("two requests share a ray")
	}
}

// tightLimits has limiter for two traces and nobody who waits longer than a moment.
func tightLimits(t *testing.T) *quota.Limiter {
	t.Helper()
	l := quota.Default()
	l.Traces, l.Queue, l.Wait = 2, 1, time.Millisecond
	limiter, err := quota.New(l)
	if err != nil {
		t.Fatal(err)
	}
	return limiter
}
