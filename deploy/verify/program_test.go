package verify

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the top of the repository, seen from this package's tests.
const root = "../.."

// needRoot skips a test that only root can do.
func needRoot(t *testing.T, what string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: " + what)
	}
}

// needProgram skips a test for which a program is missing, which this Debian
// package has.
func needProgram(t *testing.T, name, debianPackage string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed: Debian package %s", name, debianPackage)
	}
	return path
}

// result is how a program ended.
type result struct {
	stdout, stderr string
	code           int
}

// execute runs a command to its end, whatever that is.
func execute(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, stderr.String())
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// must runs a command that has to end well and returns its standard output.
func must(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	r := execute(t, cmd)
	if r.code != 0 {
		t.Fatalf("%v: exit code %d\n%s%s", cmd.Args, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// command is exec.Command for the length of the test.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(t.Context(), name, args...)
}

// agentLog is what an agent logs, as far as it was read.
type agentLog struct {
	*bufio.Scanner
	said strings.Builder
}

// listening reads until the agent listens, and reports whether it does.
func (l *agentLog) listening() bool {
	for l.Scan() {
		l.said.WriteString(l.Text() + "\n")
		if strings.Contains(l.Text(), "msg=listening") {
			return true
		}
	}
	return false
}

// rest reads what is left, until the agent has ended.
func (l *agentLog) rest() {
	for l.Scan() {
		l.said.WriteString(l.Text() + "\n")
	}
}

// goEnv returns a setting of the toolchain.
func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(must(t, command(t, "go", "env", name)))
}

// absolute is filepath.Abs of a path below the repository's top.
func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// write makes a file and the directories that it is in.
func write(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), mode), os.Chmod(path, mode))
	if err != nil {
		t.Fatal(err)
	}
}

// read returns what is in a file.
func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// afterTest is a context that outlives the test's own, for cleaning up.
func afterTest(t *testing.T) context.Context {
	t.Helper()
	return context.WithoutCancel(t.Context())
}
