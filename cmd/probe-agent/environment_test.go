package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// Every variable that the documents name is read: it changes the flag that it is
// said to set.
func TestDocumentedVariables(t *testing.T) {
	documents := []string{"../../README.md", "../../Dockerfile"}
	for _, folder := range []string{"../../docs", "../../deploy"} {
		err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
			if slices.Contains([]string{".md", ".yaml", ".service"}, filepath.Ext(path)) {
				documents = append(documents, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	name := regexp.MustCompile(`PROBE_AGENT(_[A-Z0-9]+)+`)
	documented := map[string]bool{}
	for _, document := range documents {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range name.FindAllString(string(text), -1) {
			documented[found] = true
		}
		// Tables of settings have flags in the first column, variables in the second.
		for _, row := range regexp.MustCompile("(?m)^\\| (`--[^|]*) \\| ([^|]*PROBE_AGENT[^|]*) \\|").FindAllStringSubmatch(string(text), -1) {
			var want []string
			for _, flag := range regexp.MustCompile(`--([a-z0-9-]+)`).FindAllStringSubmatch(row[1], -1) {
				want = append(want, variableOf(&kong.Flag{Value: &kong.Value{Name: flag[1]}}))
			}
			if got := name.FindAllString(row[2], -1); !slices.Equal(got, want) {
				t.Errorf("%s: %s has the variables %q, want %q", document, row[1], got, want)
			}
		}
	}
	if len(documented) < 30 {
		t.Fatalf("only %d variables are documented", len(documented))
	}
	// As in the documents, for a Service called probe-agent.
	kubernetes := environment{"PROBE_AGENT_SERVICE_HOST": "192.0.2.1"}
	for variable := range documented {
		if !kubernetes.ofKubernetes(variable) && !sets(t, variable) {
			t.Errorf("%s is documented and sets no flag", variable)
		}
	}
}

// sets reports whether some value of a variable changes the flag that has it.
func sets(t *testing.T, variable string) bool {
	t.Helper()
	values := []string{
		"true", "7", "7s", "127.0.0.7:7", "192.0.2.7", "elsewhere", "json", "warn", "off", "public", "tcp", "192.0.2.7/32", "a@example.com",
		"account=acme name=ops hash=sha256:" + strings.Repeat("07", 32), "../../deploy/probe-agent.example.yaml",
	}
	for _, args := range [][]string{{"serve"}, {"health"}, {"check"}, {"trace", "127.0.0.1"}, {"token", "new", "--account", "a"}} {
		parse := func() (any, bool) {
			parser, _, err := newParser()
			if err != nil {
				t.Fatal(err)
			}
			context, err := parser.Parse(args)
			if err != nil {
				return nil, false
			}
			for _, flag := range context.Flags() {
				if slices.Contains(flag.Envs, variable) {
					if file, ok := reflect.TypeAssert[configFile](flag.Target); ok {
						return file.path, true
					}
					return flag.Target.Interface(), true
				}
			}
			return nil, false
		}
		before, ok := parse()
		for _, value := range values {
			if !ok {
				break
			}
			t.Setenv(variable, value)
			after, good := parse()
			os.Unsetenv(variable)
			if good && !reflect.DeepEqual(before, after) {
				return true
			}
		}
	}
	return false
}

func TestEnvironmentCheck(t *testing.T) {
	parser, _, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	const (
		is   = "environment variable "
		none = " is not a setting"
	)
	service := environment{"PROBE_AGENT_FOO_SERVICE_HOST": "192.0.2.1", "PROBE_AGENT_SERVICE_HOST": "192.0.2.2"}
	tests := []struct{ variable, value, want string }{
		{"PROBE_AGENT_RATE", "5", ""},
		{"PROBE_AGENT_MAX_TTL", "5", ""}, // of another subcommand
		{"PROBE_AGENT_RATTE", "", ""},
		{"PROBE_AGENT_RATTE", "5", is + "PROBE_AGENT_RATTE" + none + "; did you mean PROBE_AGENT_RATE?"},
		{"PROBE_AGENT_ASN_DNS_IPV_4", "x", is + "PROBE_AGENT_ASN_DNS_IPV_4" + none + "; did you mean PROBE_AGENT_ASN_DNS_IPV4?"},
		{"PROBE_AGENT_PORTS", "5", is + "PROBE_AGENT_PORTS" + none},
		{"PROBE_AGENT_BAR_PORT", "5", is + "PROBE_AGENT_BAR_PORT" + none}, // no such service
		{"PROBE_AGENT_FOO_PORT_8080", "5", is + "PROBE_AGENT_FOO_PORT_8080" + none},
		{"PROBE_AGENT_PORT", "tcp://192.0.2.2:8080", ""},
		{"PROBE_AGENT_SERVICE_PORT", "8080", ""},
		{"PROBE_AGENT_SERVICE_PORT_HTTP_2", "8080", ""},
		{"PROBE_AGENT_PORT_8080_TCP", "tcp://192.0.2.2:8080", ""},
		{"PROBE_AGENT_PORT_8080_TCP_ADDR", "192.0.2.2", ""},
		{"PROBE_AGENT_FOO_PORT_53_UDP_PROTO", "udp", ""},
		{"PROBE_AGENT_FOO_SERVICE_PORT", "53", ""},
	}
	for _, tt := range tests {
		e := environment{tt.variable: tt.value}
		maps.Copy(e, service)
		got := ""
		if err := e.check(parser.Model.Node); err != nil {
			got = err.Error()
		}
		if got != tt.want && (tt.want == "" || !strings.HasPrefix(got, tt.want)) {
			t.Errorf("%s=%s: %q, want %q", tt.variable, tt.value, got, tt.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"kitten", "sitting", 3}, {"flaw", "lawn", 2}, {"RATTE", "RATE", 1}} {
		if ab, ba := editDistance(tt.a, tt.b), editDistance(tt.b, tt.a); ab != tt.want || ba != tt.want {
			t.Errorf("%q and %q: %d and %d, want %d", tt.a, tt.b, ab, ba, tt.want)
		}
	}
}
