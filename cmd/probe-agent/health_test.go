package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	// Neither may get in the way of asking this host.
	t.Setenv("http_proxy", "http://192.0.2.1:1")
	t.Setenv("PROBE_AGENT_CITY", "Denver, CO, US")

	status := map[string]int{"/healthz": http.StatusOK, "/readyz": http.StatusServiceUnavailable}
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status[r.URL.Path])
		if status[r.URL.Path] != http.StatusOK {
			_, _ = w.Write([]byte("not ready: " + strings.Repeat("x", 1<<20)))
		}
	}))
	defer agent.Close()
	address := strings.TrimPrefix(agent.URL, "http://")

	tests := []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"lives", []string{"--listen", address}, exitOK, ""},
		{"not ready", []string{"--listen", address, "--ready"}, exitPartial, "503 Service Unavailable: not ready"},
		{"other settings of serve", []string{"--listen", address, "--rate", "5", "--log-format", "json"}, exitOK, ""},
		{"the documented file", []string{"--config", "../../deploy/probe-agent.example.yaml", "--listen", address}, exitOK, ""},
		{"nobody there", []string{"--listen", "127.0.0.1:1"}, exitPartial, "refused"},
		{"bad setting", []string{"--listen", "here"}, exitError, "not host:port"},
		{"no port", []string{"--listen", "127.0.0.1:0"}, exitError, "port 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			code := run(append([]string{"health"}, tt.args...), &stdout, &stderr)
			if code != tt.code || !strings.Contains(stderr.String(), tt.stderr) || stdout.Len() > 0 {
				t.Errorf("exit code %d, output %q, error %q; want %d and %q", code, stdout.String(), stderr.String(), tt.code, tt.stderr)
			}
			if stderr.Len() > 1024 {
				t.Errorf("%d bytes of a refusal are repeated", stderr.Len())
			}
		})
	}
}
