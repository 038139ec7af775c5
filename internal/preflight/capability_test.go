package preflight_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"probe-agent/internal/preflight"
)

// host is a file system with one file.
func host(path, content string) fstest.MapFS {
	return fstest.MapFS{path: {Data: []byte(content)}}
}

func TestCapability(t *testing.T) {
	const path = "proc/self/status"
	tests := []struct {
		name   string
		root   fstest.MapFS
		state  preflight.State
		detail string
	}{
		{"root", host(path, "Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n"), preflight.OK, "in effect"},
		{"only that one", host(path, "CapEff:\t0000000000002000\n"), preflight.OK, "in effect"},
		{"all but that one", host(path, "CapEff:\t000001ffffffdfff\n"), preflight.Missing, "not in effect"},
		{"permitted is not effective", host(path, "CapPrm:\t0000000000002000\nCapEff:\t0000000000000000\n"), preflight.Missing, "not in effect"},
		{"no such line", host(path, "Name:\tx\n"), preflight.Warning, "no CapEff"},
		{"no number", host(path, "CapEff:\tall\n"), preflight.Warning, "unknown"},
		{"no proc", fstest.MapFS{}, preflight.Warning, "unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			demand(t, preflight.Capability(tt.root), tt.state, tt.detail)
		})
	}
}

// demand checks a finding: its state, part of its detail, and that it advises
// exactly when something is wrong.
func demand(t *testing.T, got preflight.Finding, state preflight.State, detail string) {
	t.Helper()
	if got.State != state || !strings.Contains(got.Detail, detail) {
		t.Errorf("%s is %s: %s; want %s: …%s…", got.Name, got.State, got.Detail, state, detail)
	}
	if (got.Advice == "") != (state == preflight.OK) {
		t.Errorf("%s is %s with advice %q", got.Name, got.State, got.Advice)
	}
}
