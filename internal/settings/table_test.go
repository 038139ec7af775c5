package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
	"probe-agent/internal/config"
	"probe-agent/internal/inputfile"
)

type grammar struct {
	Serve Serve `cmd:""`
}

// parse reads the settings of the agent from a command line.
func parse(t *testing.T, args ...string) (*kong.Context, *Values) {
	t.Helper()
	line := new(grammar)
	parser, err := NewParser(t.Context(), line, new(inputfile.Opener))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"serve"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	return parsed, NewValues(parsed, &line.Serve)
}

func table(t *testing.T) []Setting {
	t.Helper()
	table, err := Table()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// The annotated example is correct as it stands, with the defaults, and with
// everything in it switched on, and it leaves no setting out.
func TestExample(t *testing.T) {
	const path = "../../deploy/probe-agent.example.yaml"
	parsed, _ := parse(t, "--config", path)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Prose has a space behind its #, but for list items, which have two.
	all := regexp.MustCompile(`(?m)^#([a-z]|  - )`).ReplaceAll(text, []byte("$1"))
	keys := settingsOf(parsed.Selected())
	some, err := config.Parse(path, text, keys)
	if err != nil {
		t.Fatal(err)
	}
	file, err := config.Parse(path, all, keys)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table(t) {
		if s.CommandLine {
			continue
		}
		if values, ok := file.Lookup(s.Name); !ok || len(values) == 0 {
			t.Errorf("%s is missing from the example", s.Name)
		}
		if values, ok := some.Lookup(s.Name); ok && strings.Join(values, ",") != s.Default {
			t.Errorf("%s is %q in the example, its default is %q", s.Name, values, s.Default)
		}
	}
}

// Every setting is somewhere in what operators read.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table(t) {
		if !regexp.MustCompile(fmt.Sprintf(`--%s\b`, s.Name)).Match(text) {
			t.Errorf("docs/operating.md does not have --%s", s.Name)
		}
	}
}

// valuesOf reads the settings of the agent from a file with this content.
func valuesOf(t *testing.T, path, text string) *Values {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, values := parse(t, "--config", path)
	return values
}

// A setting that protects is not lifted by its absence, and is lifted by a
// value.
func TestLifted(t *testing.T) {
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
		{"keep-traces", "0", "10"},
		{"keep-memory", "1MiB", "2MiB"},
		{"keep-time", "0s", "1h"},
		{"names", "off", "direct"},
		{"name-server", "[192.0.2.53]", "[]"},
	}
	var tested []string
	for _, tt := range tests {
		tested = append(tested, tt.setting)
		t.Run(tt.setting, func(t *testing.T) {
			given := func(value string) *Values {
				return valuesOf(t, config, fmt.Sprintf("%s: %s\n# end\n", tt.setting, value))
			}
			before := given(tt.strict)
			if lifted, err := before.Lifted(given(tt.strict)); len(lifted) > 0 || err != nil {
				t.Errorf("unchanged: lifted %q, error %v", lifted, err)
			}
			want := config + " no longer has " + tt.setting + ","
			if _, err := before.Lifted(valuesOf(t, config, "# end\n")); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("absent: error %v, want %s", err, want)
			}
			if tt.lifted == "" {
				return
			}
			lifted, err := before.Lifted(given(tt.lifted))
			if diff := cmp.Diff([]string{tt.setting}, lifted); diff != "" || err != nil {
				t.Errorf("%s: error %v, lifted (-want +got):\n%s", tt.lifted, err, diff)
			}
			if lifted, err := given(tt.lifted).Lifted(before); len(lifted) > 0 || err != nil {
				t.Errorf("tightened: lifted %q, error %v", lifted, err)
			}
		})
	}
	decision, err := os.ReadFile("../../docs/adr/0039-what-a-reload-does-not-lift.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range table(t) {
		if (s.Protects != ProtectsNot) != slices.Contains(tested, s.Name) {
			t.Errorf("%s protects %q: is it tested?", s.Name, s.Protects)
		}
		if s.Protects != ProtectsNot && !strings.Contains(string(decision), "`"+s.Name+"`") {
			t.Errorf("ADR 39 does not have %s", s.Name)
		}
	}
}
