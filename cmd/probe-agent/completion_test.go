package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// output runs a subcommand that has to succeed.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr strings.Builder
	if code := run(args, &stdout, &stderr); code != exitOK {
		t.Fatalf("%v: exit code %d: %s", args, code, stderr.String())
	}
	return stdout.String()
}

// TestBashCompletion asks a real bash what it would offer.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed: Debian package bash")
	}
	script := output(t, "completion", "bash")
	tests := []struct {
		line   string // the last word is being typed
		offers []string
		others []string // must not be offered
	}{
		{"probe-agent ", []string{"serve", "trace", "man", "--help"}, []string{"new", "--listen"}},
		{"probe-agent se", []string{"serve"}, []string{"trace"}},
		{"probe-agent serve --li", []string{"--listen"}, []string{"--colo"}},
		{"probe-agent token ", []string{"new"}, []string{"serve"}},
		{"probe-agent token new --a", []string{"--account"}, []string{"--max-ttl"}},
		{"probe-agent trace --json --max", []string{"--max-ttl"}, []string{"--listen"}},
	}
	for _, tt := range tests {
		t.Run(tt.line, func(t *testing.T) {
			ask := script + "\nCOMP_WORDS=(" + tt.line + ")\n"
			if strings.HasSuffix(tt.line, " ") {
				ask += "COMP_WORDS+=('')\n"
			}
			ask += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_probe_agent\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
			out, err := exec.CommandContext(t.Context(), bash, "--norc", "-c", ask).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			offered := strings.Fields(string(out))
			for _, word := range tt.offers {
				if !slices.Contains(offered, word) {
					t.Errorf("%s is not offered, but %q", word, offered)
				}
			}
			for _, word := range tt.others {
				if slices.Contains(offered, word) {
					t.Errorf("%s is offered", word)
				}
			}
		})
	}
}

// TestCompletionsAreParsed hands the scripts to those shells that are there.
func TestCompletionsAreParsed(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			script := output(t, "completion", shell)
			for _, word := range []string{"serve", "max-ttl", "account"} {
				if !strings.Contains(script, word) {
					t.Errorf("%s is not completed", word)
				}
			}
			path, err := exec.LookPath(shell)
			if err != nil {
				return // its text was looked at; nobody is here to read it
			}
			cmd := exec.CommandContext(t.Context(), path, "-n")
			cmd.Stdin = strings.NewReader(script)
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func TestManPage(t *testing.T) {
	page := output(t, "man")
	for _, text := range []string{
		".TH PROBE-AGENT 1", ".SS serve", ".SS token new", `\fB\-\-near\-hop\-rate\fR`, "$PROBE_AGENT_LISTEN",
		"Exit code: 0 every target was reached",
	} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %q", text)
		}
	}
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, "'") || strings.HasPrefix(line, " ") {
			t.Errorf("line %q means something else to roff", line)
		}
	}
	man, err := exec.LookPath("man")
	if err != nil {
		return // nobody is here to read it
	}
	cmd := exec.CommandContext(t.Context(), man, "--warnings", "-l", "-")
	cmd.Stdin = strings.NewReader(page)
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=100", "MANPAGER=cat")
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 || !strings.Contains(string(out), "--near-hop-rate") {
		t.Errorf("%v\n%s", err, warnings.String())
	}
}
