package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"probe-agent/access"
	"probe-agent/api/envelope"
)

// Without credentials programs are served, and web pages are not, whatever the
// route; nor on any other listener behind GuardPages. The error says why.
func TestWebPages(t *testing.T) {
	tests := []struct {
		name, host string
		headers    map[string]string
		refused    string // starts the error; empty: it is served
	}{
		{"program", "127.0.0.1:8080", nil, ""},
		{"program with a token", "localhost:8080", map[string]string{"Authorization": "Basic x"}, ""},
		{"IPv6", "[::1]:8080", nil, ""},
		{"same origin", "localhost:8080", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:8080"}, ""},
		{"address bar", "localhost:8080", map[string]string{"Sec-Fetch-Site": "none"}, ""},
		{"cross-site", "localhost:8080", map[string]string{"Sec-Fetch-Site": "cross-site"}, "Cross-site request refused: "},
		{"another port of this host", "localhost:8080", map[string]string{"Sec-Fetch-Site": "same-site"}, "Cross-site request refused: "},
		{"old browser", "localhost:8080", map[string]string{"Origin": "https://evil.example"}, "Cross-site request refused: "},
		{"sandboxed page", "localhost:8080", map[string]string{"Origin": "null"}, "Cross-site request refused: "},
		{"rebound name", "evil.example:8080", map[string]string{"Origin": "http://evil.example:8080"}, "Host refused: "},
		{"rebound name, same origin", "evil.example:8080", map[string]string{"Sec-Fetch-Site": "same-origin"}, "Host refused: "},
		{"rebound name without Origin", "evil.example", nil, "Host refused: "},
		{"name that starts as localhost", "localhost.evil.example", nil, "Host refused: "},
	}
	metrics := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "numbers") })
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: new(access.Registry), Metrics: metrics})
	routes := []struct {
		handler      http.Handler
		method, path string
	}{
		{h, http.MethodPost, endpoint},
		{h, http.MethodPost, nativePath},
		{h, http.MethodGet, "/metrics"},
		{h, http.MethodGet, "/healthz"},
		{h, http.MethodHead, "/readyz"},
		{h, http.MethodGet, "/openapi.yaml"},
		{GuardPages(metrics), http.MethodGet, "/debug/pprof/cmdline"},
	}
	for i, tt := range tests {
		for j, route := range routes {
			r := httptest.NewRequestWithContext(t.Context(), route.method, route.path, strings.NewReader(goodBody))
			r.Host = tt.host
			r.RemoteAddr = fmt.Sprintf("[2001:db8:%x:%x::1]:1000", i, j) // failures are counted by site
			for name, value := range tt.headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			route.handler.ServeHTTP(w, r)
			var refused envelope.Envelope[any]
			want := http.StatusOK
			if tt.refused != "" {
				want = http.StatusForbidden
				if err := json.Unmarshal(w.Body.Bytes(), &refused); err != nil {
					t.Fatalf("%s of %s: %v: %s", tt.name, route.path, err, w.Body)
				}
			}
			if w.Code != want || want != http.StatusOK && (len(refused.Errors) != 1 || refused.Errors[0].Code != 9109 ||
				!strings.HasPrefix(refused.Errors[0].Message, tt.refused) || !strings.Contains(refused.Errors[0].Message, "web page")) {
				t.Errorf("%s of %s: %d %s", tt.name, route.path, w.Code, w.Body)
			}
		}
	}
}

// Too many strangers from one address are told to wait, by the address that a
// trusted proxy forwards; right credentials pass all the same.
func TestFailureLimit(t *testing.T) {
	k, proxies := newKeyring(t), new(Proxies)
	proxies.Set([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")})
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry, Proxies: proxies})
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

// Who the client is, by what a trusted proxy forwards. Failed attempts are counted
// for it: strangers behind one proxy have not one allowance together.
func TestForwardedClient(t *testing.T) {
	for _, tt := range []struct {
		peer      string
		forwarded []string
		want      string
	}{
		{"192.0.2.1:1000", nil, "192.0.2.1"},
		{"192.0.2.1:1000", []string{"198.51.100.1"}, "198.51.100.1"},
		{"192.0.2.1:1000", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"192.0.2.1:1000", []string{"2001:db8::1"}, "2001:db8::1"},
		{"192.0.2.1:1000", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"192.0.2.1:1000", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		{"192.0.2.1:1000", []string{"[::ffff:198.51.100.1]:4711"}, "198.51.100.1"},
		{"192.0.2.1:1000", []string{"fe80::1%eth0"}, "fe80::1"},
		{"192.0.2.1:1000", []string{"203.0.113.9, 198.51.100.1:1 , 192.0.2.1:80,"}, "198.51.100.1"},
		{"192.0.2.1:1000", []string{"198.51.100.1:1", "192.0.2.1:80, [2001:db8:ffff::9]:1"}, "198.51.100.1"},
		{"[2001:db8:ffff::1]:1000", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		// What is no address makes the proxy the client, and hides what is left of it.
		{"192.0.2.1:1000", []string{"198.51.100.1, unknown"}, "192.0.2.1"},
		{"192.0.2.1:1000", []string{"198.51.100.1, [2001:db8::1"}, "192.0.2.1"},
		{"192.0.2.1:1000", []string{"198.51.100.1:port"}, "192.0.2.1"},
		{"192.0.2.1:1000", []string{"192.0.2.1"}, "192.0.2.1"},
		// A client that is no trusted proxy says what it likes.
		{"203.0.113.7:1000", []string{"198.51.100.1"}, "203.0.113.7"},
		{"", []string{"198.51.100.1"}, "invalid IP"},
	} {
		proxies := new(Proxies)
		proxies.Set([]netip.Prefix{netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8:ffff::/48")})
		var got netip.Addr
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr, r.Header["X-Forwarded-For"] = tt.peer, tt.forwarded
		proxies.findClient(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = clientOf(r) })).ServeHTTP(nil, r)
		if got.String() != tt.want {
			t.Errorf("from %q, %q: client %v, want %s", tt.peer, tt.forwarded, got, tt.want)
		}
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
