package compat

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"
)

// tap is a proxy in front of the agent that changes nothing and remembers what
// went through: what an SDK really sent, how often, and what it got.
type tap struct {
	url string

	mu      sync.Mutex
	heard   []exchange
	pressed bool
}

// exchange is one request with its answer.
type exchange struct {
	request         []byte
	status          int
	answer          []byte
	retryAfter      string // in seconds
	asked, answered time.Time
}

func newTap(t *testing.T, agent string) *tap {
	t.Helper()
	to, err := url.Parse(agent)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{DisableCompression: true} // what the SDK did not ask for is not added
	t.Cleanup(transport.CloseIdleConnections)
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(to) },
		Transport: transport,
	}
	p := &tap{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked := time.Now()
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading a request: %v", err)
		}
		pass := func() *httptest.ResponseRecorder {
			r.Body = io.NopCloser(bytes.NewReader(body))
			answer := httptest.NewRecorder()
			proxy.ServeHTTP(answer, r)
			return answer
		}
		answer := pass()
		for p.presses() && answer.Code == http.StatusOK {
			answer = pass()
		}
		p.mu.Lock()
		p.heard = append(p.heard, exchange{body, answer.Code, answer.Body.Bytes(), answer.Header().Get("Retry-After"), asked, time.Now()})
		p.pressed = false
		p.mu.Unlock()
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes()) // fails when the SDK is gone, which its own error tells better
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// press makes the tap send the next request again until it is refused, and pass
// on the refusal: the agent's first answer that is not 200.
func (p *tap) press() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pressed = true
}

func (p *tap) presses() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pressed
}

// all returns the exchanges since the last call.
func (p *tap) all() []exchange {
	p.mu.Lock()
	defer p.mu.Unlock()
	heard := p.heard
	p.heard = nil
	return heard
}

// only returns the one exchange since the last call. More than one means that
// the SDK tried again, or asked for a next page.
func (p *tap) only(t *testing.T) exchange {
	t.Helper()
	heard := p.all()
	if len(heard) != 1 {
		t.Fatalf("the SDK sent %d requests, want 1", len(heard))
	}
	return heard[0]
}
