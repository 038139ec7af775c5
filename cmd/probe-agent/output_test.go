package main

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/alecthomas/kong"

	"probe-agent/internal/inputfile"
	"probe-agent/internal/usage"
)

// fullDisk is a file that nothing can be written to.
type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// Every subcommand that prints fails when its output cannot be written.
func TestOutputNotWritten(t *testing.T) {
	arguments := map[string][]string{
		"serve":      {"--check-config"},
		"trace":      {"-q", "1", "127.0.0.1"},
		"token new":  {"--account", "acme"},
		"completion": {"bash"},
		"health":     nil, // prints nothing on standard output
	}
	more := map[string][][]string{
		"trace": {
			{"-q", "1", "127.0.0.1", "127.0.0.2"},
			{"-q", "1", "127.0.0.1", "--json"},
			{"-q", "1", "127.0.0.1", "--csv"},
			{"-q", "1", "127.0.0.1", "--follow", "--rounds", "1"},
			{"-q", "1", "127.0.0.1", "--follow", "--json", "--rounds", "0"},
		},
		"token new": {{"--account", "acme", "--json"}},
		"version":   {{"--json"}},
		"check":     {{"--json"}},
	}
	fails := func(t *testing.T, command string, args []string) {
		t.Helper()
		if command == "trace" && args[0] != "--help" && os.Geteuid() != 0 {
			t.Skip("raw sockets need root")
		}
		var stderr strings.Builder
		code := run(append(strings.Fields(command), args...), fullDisk{}, &stderr)
		const want = "probe-agent: error: writing the output: no space left on device\n"
		if code != exitError || stderr.String() != want {
			t.Errorf("%v: exit code %d, error %q; want %d, %q", args, code, stderr.String(), exitError, want)
		}
	}
	var visit func(*kong.Node)
	visit = func(node *kong.Node) {
		for _, child := range usage.Commands(node) {
			visit(child)
		}
		command := strings.TrimPrefix(strings.TrimPrefix(node.FullPath(), "probe-agent"), " ")
		t.Run(command, func(t *testing.T) {
			fails(t, command, []string{"--help"})
			args, ok := arguments[command]
			if len(node.Children) > 0 || ok && args == nil {
				return
			}
			for _, args := range append([][]string{args}, more[command]...) {
				fails(t, command, args)
			}
		})
	}
	parser, _, err := newParser(t.Context(), new(inputfile.Opener))
	if err != nil {
		t.Fatal(err)
	}
	visit(parser.Model.Node)
}
