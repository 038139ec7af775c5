package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
	"probe-agent/internal/inputfile"
)

// settingsFrom reads the settings of serve from a file with this content.
func settingsFrom(t *testing.T, path, text string) *settings {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := readSettings(t.Context(), new(inputfile.Opener), []string{"serve", "--config", path})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A setting that protects is not lifted by its absence, and is lifted by a
// value. Every setting of serve either protects or is listed here as one that
// does not.
func TestProtections(t *testing.T) {
	config := filepath.Join(t.TempDir(), "agent.yaml")
	credential := access.Credential{Name: "ops", Accounts: []string{"acme"}, Hash: access.HashOf("secret")}
	tests := []struct{ setting, strict, lifted string }{
		{"token", fmt.Sprintf("[%s]", credential.String()), "[]"},
		{"trusted-proxy", "[192.0.2.1]", "[]"},
		{"tls-cert", "server.crt", `""`},
		{"tls-key", "server.key", `""`},
		{"tls-client-ca", "clients.crt", ""},
		{"policy", "public", "internal"},
		{"deny", "[192.0.2.0/24, 198.51.100.0/24]", "[192.0.2.0/24]"},
		{"do-not-probe", "[one, two]", "[one]"},
		{"redact-hops", "2", "1"},
		{"rate", "100", "200"},
		{"near-hop-rate", "100", "0"},
		{"prefix-rate", "100", "1000"},
		{"request-rate", "100/10s", "11/1s"},
		{"max-traces", "10", "0"},
		{"max-traces-per-token", "10", "20"},
		{"queue", "10", "20"},
		{"queue-per-account", "10", "20"},
		{"max-connections", "10", "20"},
		{"names", "off", "direct"},
		{"name-server", "[192.0.2.53]", "[]"},
	}
	// What these default to is as strict as any value, or they restrict nothing.
	classified := []string{
		"help", "config", "check-config", "listen", "admin-listen", "allow", "colo", "city", "source", "interface", "mark",
		"asn-data", "asn-dns-ipv4", "asn-dns-ipv6", "queue-wait", "shutdown-grace", "log-format", "log-level",
	}
	for _, tt := range tests {
		classified = append(classified, tt.setting)
		t.Run(tt.setting, func(t *testing.T) {
			given := func(value string) string { return fmt.Sprintf("%s: %s\n# end\n", tt.setting, value) }
			before := settingsFrom(t, config, given(tt.strict))
			if lifted, err := liftedProtections(before, settingsFrom(t, config, given(tt.strict))); len(lifted) > 0 || err != nil {
				t.Errorf("unchanged: lifted %q, error %v", lifted, err)
			}
			want := config + " no longer has " + tt.setting + ","
			if _, err := liftedProtections(before, settingsFrom(t, config, "# end\n")); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("absent: error %v, want %s", err, want)
			}
			if tt.lifted == "" {
				return
			}
			lifted, err := liftedProtections(before, settingsFrom(t, config, given(tt.lifted)))
			if diff := cmp.Diff([]string{tt.setting}, lifted); diff != "" || err != nil {
				t.Errorf("%s: error %v, lifted (-want +got):\n%s", tt.lifted, err, diff)
			}
			if lifted, err := liftedProtections(settingsFrom(t, config, given(tt.lifted)), before); len(lifted) > 0 || err != nil {
				t.Errorf("tightened: lifted %q, error %v", lifted, err)
			}
		})
	}
	for _, flag := range subcommand(t, "serve").Flags {
		if !slices.Contains(classified, flag.Name) {
			t.Errorf("--%s: does it protect? Add it to protections, or to the settings that do not, and to ADR 39", flag.Name)
		}
	}
	decision, err := os.ReadFile("../../docs/adr/0039-what-a-reload-does-not-lift.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range protections() {
		if !strings.Contains(string(decision), "`"+p.setting+"`") {
			t.Errorf("ADR 39 does not have %s", p.setting)
		}
	}
}

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
			`no longer has token, and a reload does not lift what protects: write "token: []" if that is intended, or restart`,
			`no longer has policy`, `no longer has deny`, `no longer has do-not-probe`,
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
	for _, want := range []string{"token", "policy", "deny"} {
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
