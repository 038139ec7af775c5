package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"probe-agent/access"
)

// Whatever an interrupted write leaves of the configuration and of the
// do-not-probe list, requests without credentials stay refused.
func TestReloadKeepsProtection(t *testing.T) {
	folder := t.TempDir()
	config, list := filepath.Join(folder, "agent.yaml"), filepath.Join(folder, "do-not-probe")
	credential := access.Credential{Name: "ops", Accounts: []string{"a"}, Hash: access.HashOf("secret")}
	whole := "policy: public\nallow: [127.0.0.1]\ntoken:\n  - " + credential.String() + "\ndo-not-probe:\n  - " + list +
		"\ndeny:\n  - 192.0.2.1\n  - 192.0.2.2\n"
	firstLists, _, _ := strings.Cut(whole, "do-not-probe")
	const entries = "127.0.0.2\n192.0.2.1\n"
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(list, entries)
	write(config, whole)
	a := startAgent(t, "--config", config, "--names", "off")

	tests := []struct {
		name, config, list string
		want               []string // of each logged error a part
	}{
		{"emptied", "", entries, []string{"agent.yaml is empty"}},
		{"only a comment", "# settings\n", entries, []string{
			`no longer has policy`, `no longer has deny`, `no longer has do-not-probe`,
			`no longer has token, and a reload does not lift what protects: write "token: []" if that is intended, or restart`,
		}},
		{"cut in a line", strings.TrimSuffix(whole, "\n"), entries, []string{"agent.yaml:9: the last line does not end in a newline"}},
		{"cut behind a list", firstLists, entries, []string{`no longer has deny`, "no longer has do-not-probe"}},
		{"cut in a list", strings.TrimSuffix(whole, "  - 192.0.2.2\n"), entries, []string{"is the beginning of the file in use, with a shorter deny"}},
		{"one line lost", strings.Replace(whole, "policy: public\n", "", 1), entries, []string{`write "policy: internal"`}},
		{"list emptied", whole, "", []string{"do-not-probe is empty"}},
		{"list of comments", whole, "# nobody\n", []string{"has lost all of its 2 entries"}},
		{"list cut in a line", whole, "127.0.0.2\n192.0.2.0", []string{"do-not-probe:2: the last line does not end in a newline"}},
		{"list cut behind a line", whole, "127.0.0.2\n", []string{"is the beginning of the list in use, 1 of 2 entries"}},
	}
	for _, tt := range tests {
		write(list, tt.list)
		a.hangUp(t, config, tt.config)
		for _, want := range tt.want {
			if entry := a.awaitReload(t); !strings.Contains(fmt.Sprint(entry["error"]), want) {
				t.Errorf("%s: logged %v, want %s", tt.name, entry, want)
			}
		}
		if status := a.statusOf(t, "127.0.0.1"); status != http.StatusForbidden {
			t.Fatalf("%s: without credentials the status is %d", tt.name, status)
		}
	}

	// What is lifted by a value is in use, and logged.
	write(list, "192.0.2.1\n")
	a.hangUp(t, config, "policy: internal\ntoken: []\ndo-not-probe: ["+list+"]\ndeny: [192.0.2.1]\n")
	for _, want := range []string{"policy", "deny", "token"} {
		if entry := a.awaitLog(t, "setting protects less than before"); entry["setting"] != want {
			t.Errorf("logged %v, want %s", entry, want)
		}
	}
	if entry := a.awaitLog(t, "do-not-probe list has fewer entries"); entry["file"] != list || entry["before"] != 2. || entry["now"] != 1. {
		t.Errorf("logged %v", entry)
	}
	a.awaitLog(t, "configuration reloaded")
	if status := a.statusOf(t, "127.0.0.1"); status != http.StatusOK {
		t.Errorf("without any credentials the status is %d", status)
	}
	a.terminate(t)
}

// awaitReload reads the log up to an entry about what came of a reload.
func (a *process) awaitReload(t *testing.T) map[string]any {
	t.Helper()
	for a.log.Scan() {
		var entry map[string]any
		if err := json.Unmarshal(a.log.Bytes(), &entry); err != nil {
			t.Fatal(err)
		}
		if message := fmt.Sprint(entry["msg"]); strings.HasPrefix(message, "configuration re") {
			return entry
		}
	}
	t.Fatal("the log ends without a reload")
	return nil
}

// statusOf returns the status of a request for one target without credentials.
func (a *process) statusOf(t *testing.T, target string) int {
	t.Helper()
	body := fmt.Sprintf(`{"targets":[%q],"options":{"packets_per_ttl":1,"max_ttl":1}}`, target)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+a.address+"/accounts/a/diagnostics/traceroute", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}
