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
	a.terminate(t)
}
