package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
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
	}
	if len(documented) < 30 {
		t.Fatalf("only %d variables are documented", len(documented))
	}
	for variable := range documented {
		if !ofKubernetes(t, variable) && !sets(t, variable) {
			t.Errorf("%s is documented and sets no flag", variable)
		}
	}
}

// ofKubernetes reports whether a variable is one that Kubernetes makes for a
// Service called probe-agent, as in the documents: one that need not be a setting.
func ofKubernetes(t *testing.T, variable string) bool {
	t.Helper()
	nothing, err := kong.New(&struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PROBE_AGENT_SERVICE_HOST", "192.0.2.1")
	t.Setenv(variable, "x")
	defer os.Unsetenv(variable)
	defer os.Unsetenv("PROBE_AGENT_SERVICE_HOST")
	return settings.CheckEnvironment(nothing.Model.Node) == nil
}

// Every flag has an environment variable of its own kind, and none that
// Kubernetes sets by itself for a service called probe-agent.
func TestVariables(t *testing.T) {
	parser, _, err := newParser(t.Context(), new(inputfile.Opener))
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		for _, flag := range node.Flags {
			switch {
			case len(flag.Envs) != 1 || !strings.HasPrefix(flag.Envs[0], "PROBE_AGENT_"):
				t.Errorf("%s --%s has variables %q, want one PROBE_AGENT_…", node.Name, flag.Name, flag.Envs)
			case ofKubernetes(t, flag.Envs[0]):
				t.Errorf("%s --%s reads %s, which Kubernetes sets", node.Name, flag.Name, flag.Envs[0])
			}
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
			parser, _, err := newParser(t.Context(), new(inputfile.Opener))
			if err != nil {
				t.Fatal(err)
			}
			context, err := parser.Parse(args)
			if err != nil {
				return nil, false
			}
			for _, flag := range context.Flags() {
				if slices.Contains(flag.Envs, variable) {
					if file, ok := reflect.TypeAssert[settings.ConfigFile](flag.Target); ok {
						return file.String(), true
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
