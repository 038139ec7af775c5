package main

import (
	"context"
	"encoding"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
	"probe-agent/internal/usage"
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

// TestCompletion asks real shells what they would offer. Each gets all lines at
// once, whose last word is being typed, and prints what it offers for each, and
// "end".
func TestCompletion(t *testing.T) {
	tests := []struct {
		line   string
		offers []string
		others []string // must not be offered
	}{
		{"probe-agent ", []string{"serve", "trace", "man"}, []string{"new", "--listen", "data.mmdb"}},
		{"probe-agent tr", []string{"trace"}, []string{"serve"}},
		{"probe-agent serve --li", []string{"--listen"}, []string{"--colo"}},
		{"probe-agent token ", []string{"new"}, []string{"serve"}},
		{"probe-agent token new --a", []string{"--account"}, []string{"--max-ttl"}},
		{"probe-agent trace --json --max", []string{"--max-ttl"}, []string{"--listen"}},
		{"probe-agent trace -P ", []string{"icmp", "tcp", "udp", "gre", "gre+icmp"}, []string{"--json", "data.mmdb"}},
		{"probe-agent trace --packet-type=g", []string{"gre", "gre+icmp"}, []string{"tcp"}},
		{"probe-agent serve --log-level w", []string{"warn"}, []string{"info", "--help"}},
		{"probe-agent serve --policy ", []string{"internal", "public"}, []string{"--help"}},
		{"probe-agent trace --names ", []string{"direct", "system", "off"}, []string{"--help"}},
		{"probe-agent trace --asn-data da", []string{"data.mmdb"}, []string{"--help", "other"}},
		{"probe-agent trace --max-ttl ", nil, []string{"--help", "data.mmdb"}},
		{"probe-agent completion ", []string{"bash", "zsh", "fish"}, []string{"data.mmdb"}},
	}
	var lines []string
	for _, tt := range tests {
		lines = append(lines, tt.line)
	}
	for shell, ask := range map[string]func(t *testing.T, shell, script string, lines []string) *exec.Cmd{
		"bash": askBash, "zsh": askZsh, "fish": askFish,
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed: Debian package %s", shell, shell)
			}
			folder := t.TempDir()
			script := filepath.Join(folder, "script")
			for name, content := range map[string]string{script: output(t, "completion", shell), filepath.Join(folder, "data.mmdb"): ""} {
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			cmd := ask(t, path, script, lines)
			cmd.Dir = folder
			cmd.Env = append(os.Environ(), "HOME="+folder, "TERM=dumb", "LC_ALL=C.UTF-8")
			var complaints strings.Builder
			cmd.Stderr = &complaints
			said, err := cmd.Output()
			if err != nil || complaints.Len() > 0 {
				t.Fatalf("%v\n%s%s", err, said, complaints.String())
			}
			offered := strings.Split(string(said), "end\n")
			if len(offered) != len(tests)+1 {
				t.Fatalf("%d answers to %d lines:\n%s", len(offered)-1, len(tests), said)
			}
			for i, tt := range tests {
				checkOffer(t, tt.line, strings.Fields(offered[i]), tt.offers, tt.others)
			}
		})
	}
}

func checkOffer(t *testing.T, line string, offered, want, others []string) {
	t.Helper()
	for _, word := range want {
		if !slices.Contains(offered, word) {
			t.Errorf("%q: %s is not offered, but %q", line, word, offered)
		}
	}
	for _, word := range others {
		if slices.Contains(offered, word) {
			t.Errorf("%q: %s is offered", line, word)
		}
	}
}

// askBash calls the function that bash would call, with the words that bash
// makes of a line. Outside of a terminal there is no compopt, so another one
// does what bash does when the function has told it so.
func askBash(t *testing.T, shell, script string, lines []string) *exec.Cmd {
	ask := "source " + script + "\ncompopt() { COMPREPLY=($(compgen -o \"$2\" -- \"$current\")); }\n"
	for _, line := range lines {
		ask += "COMP_WORDS=(" + strings.ReplaceAll(line, "=", " = ") + ")\n"
		if strings.HasSuffix(line, " ") {
			ask += "COMP_WORDS+=('')\n"
		}
		ask += "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_probe_agent\nprintf '%s\\n' \"${COMPREPLY[@]}\" end\n"
	}
	return exec.CommandContext(t.Context(), shell, "--norc", "-c", ask)
}

func askZsh(t *testing.T, shell, script string, lines []string) *exec.Cmd {
	typist, err := filepath.Abs("testdata/offered.zsh")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return exec.CommandContext(ctx, shell, append([]string{"-f", typist, script}, lines...)...)
}

// askFish asks for the words of each line, which come with their descriptions
// and, for the value of --flag=value, the flag.
func askFish(t *testing.T, shell, script string, lines []string) *exec.Cmd {
	return exec.CommandContext(t.Context(), shell, append([]string{
		"--no-config", "-c",
		"source $argv[1]; for line in $argv[2..]; complete -C $line | string replace -r '\\t.*' '' | string replace -r '^--[a-z-]+=' ''; echo end; end",
		script,
	}, lines...)...)
}

// Every word that is offered for a flag's value is accepted as one.
func TestChoices(t *testing.T) {
	parser, _, err := newParser(t.Context(), new(inputfile.Opener))
	if err != nil {
		t.Fatal(err)
	}
	tested := 0
	for _, command := range usage.Commands(parser.Model.Node) {
		for _, flag := range command.Flags {
			value, ok := reflect.TypeAssert[settings.Chooser](flag.Target.Addr())
			if !ok {
				continue
			}
			for _, word := range value.Choices() {
				tested++
				if err := value.(encoding.TextUnmarshaler).UnmarshalText([]byte(word)); err != nil {
					t.Errorf("%s --%s=%s: %v", command.Name, flag.Name, word, err)
				}
			}
		}
	}
	if tested == 0 {
		t.Error("no flag has choices")
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
