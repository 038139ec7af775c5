package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"probe-agent/internal/config"
	"probe-agent/internal/inputfile"
)

func subcommand(t *testing.T, name string) *kong.Node {
	t.Helper()
	parser, _, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	for _, node := range parser.Model.Children {
		if node.Name == name {
			return node
		}
	}
	t.Fatalf("no subcommand %s", name)
	return nil
}

// The annotated example is correct as it stands and with everything in it
// switched on, and it leaves no setting out.
func TestExampleConfiguration(t *testing.T) {
	const path = "../../deploy/probe-agent.example.yaml"
	settings := settingsOf(subcommand(t, "serve"))
	if _, err := config.Load(t.Context(), new(inputfile.Opener), path, settings); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// Prose has a space behind its #, but for list items, which have two.
	all := regexp.MustCompile(`(?m)^#([a-z]|  - )`).ReplaceAll(text, []byte("$1"))
	file, err := config.Parse(path, all, settings)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if values, ok := file.Lookup(s.Key); !ok || len(values) == 0 {
			t.Errorf("%s is missing from the example", s.Key)
		}
	}
}

// Every flag is in the README's table and somewhere in what operators read.
func TestDocumentedFlags(t *testing.T) {
	for document, form := range map[string]string{
		"../../README.md":         "(?m)^\\|.*`--%s[ `]",
		"../../docs/operating.md": "--%s\\b",
	} {
		text, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, flag := range subcommand(t, "serve").Flags {
			if flag.Name != "help" && !regexp.MustCompile(fmt.Sprintf(form, flag.Name)).Match(text) {
				t.Errorf("%s does not have --%s", document, flag.Name)
			}
		}
	}
}

// What the example sets to its default says the default that the flag has.
func TestExampleDefaults(t *testing.T) {
	serve := subcommand(t, "serve")
	file, err := config.Load(t.Context(), new(inputfile.Opener), "../../deploy/probe-agent.example.yaml", settingsOf(serve))
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range serve.Flags {
		if values, ok := file.Lookup(flag.Name); ok && strings.Join(values, ",") != flag.Default {
			t.Errorf("%s is %q in the example, its default is %q", flag.Name, values, flag.Default)
		}
	}
}

// The example marks the settings that a reload puts in use: in the paragraph of
// comments above them.
func TestExampleReload(t *testing.T) {
	text, err := os.ReadFile("../../deploy/probe-agent.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	marked := make(map[string]bool)
	for paragraph := range strings.SplitSeq(string(text), "\n\n") {
		for _, key := range regexp.MustCompile(`(?m)^#?([a-z0-9-]+):`).FindAllStringSubmatch(paragraph, -1) {
			marked[key[1]] = strings.Contains(paragraph, "(reload)")
		}
	}
	for _, flag := range subcommand(t, "serve").Flags {
		if reloads := flag.Tag.Has("reload"); marked[flag.Name] != reloads {
			t.Errorf("%s is marked as reloadable in the example: %t, its flag: %t", flag.Name, marked[flag.Name], reloads)
		}
	}
}

// Every flag has an environment variable of its own kind, and none that
// Kubernetes sets by itself for a service called probe-agent.
func TestEnvironment(t *testing.T) {
	parser, _, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	kubernetes := environment{"PROBE_AGENT_SERVICE_HOST": "192.0.2.1"}
	for _, node := range parser.Model.Children {
		for _, flag := range node.Flags {
			switch {
			case len(flag.Envs) != 1 || !strings.HasPrefix(flag.Envs[0], environmentPrefix):
				t.Errorf("%s --%s has variables %q, want one PROBE_AGENT_…", node.Name, flag.Name, flag.Envs)
			case kubernetes.ofKubernetes(flag.Envs[0]):
				t.Errorf("%s --%s reads %s, which Kubernetes sets", node.Name, flag.Name, flag.Envs[0])
			}
		}
	}
}
