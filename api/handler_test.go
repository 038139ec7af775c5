package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
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
