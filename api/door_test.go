package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"probe-agent/access"
)

// Without credentials programs are served, and web pages are not.
func TestWebPages(t *testing.T) {
	tests := []struct {
		name, host string
		headers    map[string]string
		status     int
	}{
		{"program", "127.0.0.1:8080", nil, 200},
		{"program with a token", "localhost:8080", map[string]string{"Authorization": "Basic x"}, 200},
		{"IPv6", "[::1]:8080", nil, 200},
		{"same origin", "localhost:8080", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8080"}, 200},
		{"cross-site", "localhost:8080", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"another port of this host", "localhost:8080", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"old browser", "localhost:8080", map[string]string{"Origin": "https://evil.example"}, 403},
		{"sandboxed page", "localhost:8080", map[string]string{"Origin": "null"}, 403},
		{"rebound name", "evil.example:8080", map[string]string{"Origin": "http://evil.example:8080"}, 403},
		{"rebound name without Origin", "evil.example", nil, 403},
		{"name that starts as localhost", "localhost.evil.example", nil, 403},
	}
	h := NewHandler(HandlerConfig{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: new(access.Registry)})
	for _, tt := range tests {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(goodBody))
		r.Host = tt.host
		for name, value := range tt.headers {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tt.status || tt.status == 403 && !strings.Contains(w.Body.String(), `"code":9109`) {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
}

// Too many strangers from one address are told to wait, by the address that a
// trusted proxy forwards; right credentials pass all the same.
func TestFailureLimit(t *testing.T) {
	k, proxies := newKeyring(t), new(Proxies)
	proxies.Set([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")})
	h := NewHandler(HandlerConfig{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry, Proxies: proxies})
	ask := func(forwarded, token string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, pathOf("acme"), strings.NewReader(goodBody))
		r.Header.Set("X-Forwarded-For", forwarded)
		r.Header.Set("Authorization", k.shown("Bearer "+token))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	last := ask("198.51.100.1", "x")
	for range failureBurst + 5 {
		last = ask("203.0.113.9, 198.51.100.1", "x")
	}
	if last.Code != 429 || last.Header().Get("Retry-After") != "2" || !strings.Contains(last.Body.String(), `"code":971`) {
		t.Errorf("%d, Retry-After %q: %s", last.Code, last.Header().Get("Retry-After"), last.Body)
	}
	if got := ask("198.51.100.1", "{ops}"); got.Code != 200 {
		t.Errorf("a right token is answered with %d", got.Code)
	}
}

func TestFailuresBySite(t *testing.T) {
	f, now := newFailures(), time.Now()
	for i := range failureBurst {
		addr := netip.AddrFrom16([16]byte{0: 0x20, 1: 1, 15: byte(i)})
		if wait := f.count(addr, now); wait != 0 {
			t.Fatalf("failure %d waits %v", i, wait)
		}
	}
	if wait := f.count(netip.MustParseAddr("2001::ffff"), now); wait != failureEvery {
		t.Errorf("another address of the /64 waits %v", wait)
	}
	if wait := f.count(netip.MustParseAddr("2001::ffff"), now.Add(failureEvery)); wait != 0 {
		t.Errorf("waits %v after that", wait)
	}
}
