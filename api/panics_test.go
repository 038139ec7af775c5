package api

import (
	"bufio"
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/traceroute"
)

func TestPanicCostsOneRequest(t *testing.T) {
	var log bytes.Buffer
	begun, stopped := make(chan struct{}), make(chan struct{})
	bad := &fakeColo{name: "ams01", trace: func(ctx context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		if target == "192.0.2.66" {
			<-begun // or there might be nothing to cancel
			panic("out of cheese")
		}
		if target == "192.0.2.67" {
			close(begun)
			<-ctx.Done()
			close(stopped)
			return nil, ctx.Err()
		}
		return direct(target), nil
	}}
	l := loadLaw(t)
	h := New(Config{Service: newService(t, bad), Log: slog.New(slog.NewJSONHandler(&log, nil))})
	got := l.ask(t, h, http.MethodPost, endpoint, `{"targets":["192.0.2.67","192.0.2.66"]}`)
	<-stopped // the other trace was cancelled, not left behind
	if diff := cmp.Diff([]fault{{Code: 1051}}, faultsOf(got.Errors)); got.status != http.StatusInternalServerError || diff != "" {
		t.Errorf("status %d (-want +got):\n%s", got.status, diff)
	}
	if got.header.Get("x-should-retry") != "false" {
		t.Error("no x-should-retry: false")
	}
	if strings.Contains(string(got.body), "cheese") {
		t.Errorf("the answer tells about the inside: %s", got.body)
	}
	for _, want := range []string{"out of cheese", "panics_test.go", got.header.Get("cf-ray")} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not have %q: %s", want, log.String())
		}
	}
	if got := l.ask(t, h, http.MethodPost, endpoint, goodBody); got.status != http.StatusOK {
		t.Errorf("a request afterwards: %d", got.status)
	}
}

// Over real connections, too, a panic costs its own request alone: another one
// that is under way ends well, and the connection that it came over is good for
// the next.
func TestPanicOverHTTP(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	colo := &fakeColo{name: "ams01", trace: func(_ context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
		switch target {
		case "192.0.2.66":
			panic("out of cheese")
		case "192.0.2.67":
			close(inside)
			<-leave
		}
		return direct(target), nil
	}}
	address := serveTCP(t, newHandler(t, colo), DefaultConnections)
	dial := func() (net.Conn, *bufio.Reader) {
		c := occupy(t, address, 1, "")[0]
		return c, bufio.NewReader(c)
	}
	ask := func(c net.Conn, target string) {
		body := `{"targets":["` + target + `"]}`
		write(t, c, head("Content-Length: "+strconv.Itoa(len(body)))+body)
	}
	other, othersAnswers := dial()
	ask(other, "192.0.2.67")
	<-inside
	c, answers := dial()
	for range 2 {
		ask(c, "192.0.2.66")
		got := replyOf(t, answers)
		if got.status != http.StatusInternalServerError || got.closes || !strings.Contains(got.body, `"code":1051`) || !strings.Contains(got.body, `"result":null,"success":false`) {
			t.Errorf("a panic: %+v", got)
		}
		ask(c, "192.0.2.1")
		if got := replyOf(t, answers); got.status != http.StatusOK {
			t.Errorf("the next request: %+v", got)
		}
	}
	close(leave)
	if got := replyOf(t, othersAnswers); got.status != http.StatusOK {
		t.Errorf("a request that was under way: %+v", got)
	}
}

func TestPanicOfTheHandlerItself(t *testing.T) {
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Ready: func() error { panic("no") }})
	if got := loadLaw(t).ask(t, newHandler(t, &fakeColo{name: "den01"}), http.MethodGet, "/readyz", ""); got.status != http.StatusOK {
		t.Fatalf("status %d without panic", got.status)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), `"code":1051`) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}

// An answer that has begun when its handler panics is cut, so that no
// client takes it for a whole one.
func TestPanicInAnAnswer(t *testing.T) {
	var log bytes.Buffer
	half := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("half"))
		panic("out of cheese")
	})
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: half})
	func() {
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("panic %v, want one that drops the connection", v)
			}
		}()
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, metricsPath, nil))
	}()
	if !strings.Contains(log.String(), "out of cheese") || !strings.Contains(log.String(), `"status":500`) {
		t.Errorf("log %s", log.String())
	}
}
