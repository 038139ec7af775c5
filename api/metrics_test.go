package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
)

// observed keeps what an Observer is told.
type observed struct {
	begun int
	ended []seen
	asked []asker
}

type seen struct {
	Route  string
	Status int
}

type asker struct {
	Credential string
	Code       int
}

func (o *observed) Asked(credential string, code int) {
	o.asked = append(o.asked, asker{credential, code})
}

func (o *observed) Begin() func(string, int, time.Duration) {
	o.begun++
	return func(route string, status int, took time.Duration) {
		if took < 0 {
			panic("negative time")
		}
		o.ended = append(o.ended, seen{route, status})
	}
}

func TestMetricsRoute(t *testing.T) {
	numbers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		io.WriteString(w, "up 1\n")
	})
	service := newService(t, &fakeColo{name: "den01"})
	with := New(Config{Service: service, Log: quiet(), Metrics: numbers})
	without := New(Config{Service: service, Log: quiet()})
	law := loadLaw(t)
	for _, tt := range []struct {
		name    string
		handler http.Handler
		method  string
		status  int
		body    string
	}{
		{"served", with, http.MethodGet, http.StatusOK, "up 1\n"},
		{"method", with, http.MethodPost, http.StatusMethodNotAllowed, "use GET or HEAD"},
		{"none", without, http.MethodGet, http.StatusNotFound, "no such route"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			req := httptest.NewRequestWithContext(t.Context(), tt.method, "/metrics", http.NoBody)
			rec := httptest.NewRecorder()
			tt.handler.ServeHTTP(rec, req)
			if rec.Code != tt.status || !strings.Contains(rec.Body.String(), tt.body) {
				t.Errorf("got %d %s, want %d with %q", rec.Code, rec.Body, tt.status, tt.body)
			}
			law.judge(t, req, nil, rec.Code, rec.Header(), rec.Body.Bytes())
		})
	}
}

func TestObserver(t *testing.T) {
	const route = "/client/v4" + traceroutePath
	var watch observed
	h := New(Config{
		Service: newService(t, &fakeColo{name: "den01"}), Log: slog.New(slog.DiscardHandler), Observer: &watch,
		Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }),
	})
	for _, r := range []struct{ method, path, body string }{
		{http.MethodPost, endpoint, `{"targets":["192.0.2.1"]}`},
		{http.MethodPost, endpoint, `{}`},
		{http.MethodGet, endpoint, ""},
		{http.MethodGet, "/healthz", ""},
		{http.MethodGet, "/nowhere", ""},
		{http.MethodGet, "/metrics", ""},
	} {
		func() {
			defer func() {
				if v := recover(); (v != nil) != (r.path == "/metrics") {
					t.Errorf("%s panicked with %v", r.path, v)
				}
			}()
			req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
			h.ServeHTTP(httptest.NewRecorder(), req)
		}()
	}
	want := []seen{{route, 200}, {route, 400}, {"", 405}, {"/healthz", 200}, {"", 404}, {"/metrics", 499}}
	if diff := cmp.Diff(want, watch.ended); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if watch.begun != len(want) {
		t.Errorf("%d requests began, want %d", watch.begun, len(want))
	}
}

// Who asked, and what came of it, is told once for each request that needs
// credentials, by the names of credentials and never by what was shown.
func TestObserverOfAskers(t *testing.T) {
	k := newKeyring(t)
	var watch observed
	h := New(Config{
		Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Observer: &watch, Credentials: k.registry,
		Metrics: http.NotFoundHandler(),
	})
	for _, r := range []struct{ method, path, authorization, body string }{
		{http.MethodPost, pathOf("acme"), "Bearer {ops}", goodBody},
		{http.MethodPost, pathOf("acme"), "Bearer {ops}", `{}`},
		{http.MethodPost, pathOf("gamma"), "Bearer {ops}", goodBody},
		{http.MethodPost, pathOf("acme"), "Bearer {old}", goodBody},
		{http.MethodPost, pathOf("acme"), "Bearer {key}", goodBody},
		{http.MethodPost, pathOf("acme"), "{ops}", goodBody},
		{http.MethodPost, nativePath, "Bearer {brief}", goodBody},
		{http.MethodGet, metricsPath, "Bearer {brief}", ""},
		{http.MethodGet, "/healthz", "Bearer {ops}", ""},
		{http.MethodGet, "/nowhere", "Bearer {ops}", ""},
	} {
		req := httptest.NewRequestWithContext(t.Context(), r.method, r.path, strings.NewReader(r.body))
		req.Header.Set("Authorization", k.shown(r.authorization))
		h.ServeHTTP(httptest.NewRecorder(), req)
	}
	want := []asker{
		{"ops", 0},
		{"ops", envelope.CodeTargets},
		{"ops", envelope.CodeUnauthorized},
		{"old", envelope.CodeUnauthenticated},
		{"", envelope.CodeUnauthenticated},
		{"", envelope.CodeHeaders},
		{"brief", 0},
		{"brief", 0},
	}
	if diff := cmp.Diff(want, watch.asked); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
