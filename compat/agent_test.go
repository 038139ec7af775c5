package compat

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What the agent says of itself in every answer.
const (
	coloName = "tst01"
	coloCity = "Testville, TS, XX"
)

// buildAgent builds the agent and returns the path of its program.
func buildAgent(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("the agent needs raw sockets: run as root")
	}
	binary := filepath.Join(t.TempDir(), "probe-agent")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/probe-agent")
	build.Dir = ".." // the agent's module
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the agent: %v\n%s", err, out)
	}
	return binary
}

// startAgent starts the agent as a process of its own on a free port of
// loopback, with further options. At the end of the test it is told to end,
// and must do so without an error.
func startAgent(t *testing.T, binary string, options ...string) agent {
	t.Helper()
	token := newToken(t, binary, "--account", account, "--name", "sdk")
	key := newToken(t, binary, "--account", account, "--name", "old-sdk", "--email", email)
	// Not bound to t.Context, which ends before cleanups run.
	agent := exec.Command(binary, append([]string{
		"serve", "--listen", "127.0.0.1:0", "--colo", coloName, "--city", coloCity, "--log-format", "json",
		"--token", token.Credential, "--token", key.Credential,
	}, options...)...)
	agent.Env = withoutSettings(os.Environ(), "PROBE_AGENT_")
	stderr, err := agent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	address := make(chan string, 1)
	log := make(chan string, 1)
	go func() { log <- readLog(stderr, address) }()
	t.Cleanup(func() {
		_ = agent.Process.Signal(syscall.SIGTERM) // fails when it is gone, which Wait tells better
		lines := <-log
		if err := agent.Wait(); err != nil {
			t.Errorf("the agent ended with %v; its log:\n%s", err, lines)
		} else if t.Failed() {
			t.Logf("the agent's log:\n%s", lines)
		}
	})
	where, ok := <-address
	if !ok {
		t.Fatal("the agent ended before it listened")
	}
	return served(where, token.Secret, key.Secret)
}

// email goes with the agent's key.
const email = "sdk@example.com"

// agent is a running agent and what it lets in.
type agent struct {
	url        string
	token, key credential
}

func served(address, token, key string) agent {
	return agent{url: "http://" + address, token: credential{token: token}, key: credential{email: email, key: key}}
}

// made is what "token new" prints.
type made struct{ Secret, Credential string }

func newToken(t *testing.T, binary string, args ...string) (m made) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), binary, append([]string{"token", "new", "--json"}, args...)...).Output()
	if err != nil {
		t.Fatalf("token new: %v", err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// readLog reads the agent's log to its end and returns it. The address that
// the agent listens on goes to address, which is closed at the end.
func readLog(r io.Reader, address chan<- string) string {
	defer close(address)
	var all strings.Builder
	for lines := bufio.NewScanner(r); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) == nil && entry.Msg == "listening" {
			address <- entry.Address
		}
	}
	return all.String()
}

// withoutSettings returns env without the variables that start with prefix, so
// that what the user has set for real does not decide a test.
func withoutSettings(env []string, prefix string) []string {
	var kept []string
	for _, v := range env {
		if !strings.HasPrefix(v, prefix) {
			kept = append(kept, v)
		}
	}
	return kept
}
