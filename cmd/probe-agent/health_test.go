package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReachable(t *testing.T) {
	tests := []struct{ listen, want string }{
		{"127.0.0.1:8080", "127.0.0.1:8080"},
		{"0.0.0.0:8080", "127.0.0.1:8080"},
		{":8080", "127.0.0.1:8080"},
		{"[::]:8080", "[::1]:8080"},
		{"[2001:db8::1]:443", "[2001:db8::1]:443"},
		{"localhost:80", "localhost:80"},
	}
	for _, tt := range tests {
		t.Run(tt.listen, func(t *testing.T) {
			got, err := reachable(tt.listen)
			if err != nil || got != tt.want {
				t.Errorf("asked at %q (error %v), want %q", got, err, tt.want)
			}
		})
	}
	if got, err := reachable("127.0.0.1:0"); err == nil {
		t.Errorf("port 0 is asked at %q, want an error", got)
	}
}

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
			if stderr.Len() > 2*healthBody {
				t.Errorf("%d bytes of a refusal are repeated", stderr.Len())
			}
		})
	}
}
