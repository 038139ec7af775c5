package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Profiles are on the admin address only, beside what the API's has too.
func TestAdmin(t *testing.T) {
	a := startAgent(t, "--admin-listen", "127.0.0.1:0")
	admin, _ := a.awaitLog(t, "listening")["address"].(string)
	for _, tt := range []struct {
		address, path, part string
		status              int
	}{
		{admin, "/metrics", "probe_agent_config_last_reload_successful 1\n", http.StatusOK},
		{admin, "/healthz", `"status":"ok"`, http.StatusOK},
		{admin, "/readyz", `"status":"ok"`, http.StatusOK},
		{admin, "/debug/pprof/", "goroutine", http.StatusOK},
		{admin, "/debug/pprof/goroutine?debug=1", "goroutine profile:", http.StatusOK},
		{admin, "/accounts/a/diagnostics/traceroute", "", http.StatusNotFound},
		{a.address, "/debug/pprof/", `"code":7003`, http.StatusNotFound},
	} {
		response, err := http.Get("http://" + tt.address + tt.path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != tt.status || !strings.Contains(string(body), tt.part) {
			t.Errorf("%s of %s: %s, error %v, no %s in %.200s", tt.path, tt.address, response.Status, err, tt.part, body)
		}
	}
	// What a web page may have sent is refused on both listeners alike.
	for _, address := range []string{admin, a.address} {
		for _, path := range []string{"/debug/pprof/cmdline", "/debug/pprof/heap", "/metrics", "/healthz", "/readyz"} {
			for _, page := range []struct{ host, site string }{{"evil.example", ""}, {"", "cross-site"}} {
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				request.Host = page.host
				if page.site != "" {
					request.Header.Set("Sec-Fetch-Site", page.site)
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != http.StatusForbidden || !strings.Contains(string(body), `"code":9109`) {
					t.Errorf("%s of %s, %+v: %s, error %v: %.200s", path, address, page, response.Status, err, body)
				}
			}
		}
	}
	a.terminate(t)
}
