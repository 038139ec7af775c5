package verify

import (
	"bufio"
	"context"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// blockTime is how long one block of commands may take.
const blockTime = 2 * time.Minute

// prelude comes before each block. Errors end a block, also those that an HTTP
// status tells. The test command is what runs this test; .ci/run runs both that
// and the one of go vet, word for word.
const prelude = `set -eu
export PATH="$PWD:$PATH"
sudo() { "$@"; }
curl() { command curl --fail-with-body --max-time 60 "$@"; }
go() {
	case "$*" in
	"test ./..." | "vet ./...") echo "not run here, but by .ci/run: go $*" ;;
	*) command go "$@" ;;
	esac
}
`

// host is where the commands of one document run.
type host struct {
	lab    *kernel.Lab
	folder string // the repository
	hosts  string // its /etc/hosts
	agent  *kernel.Cmd
	log    *agentLog
}

// command is a shell with these commands on the host.
func (h *host) command(ctx context.Context, commands string) *kernel.Cmd {
	cmd := h.lab.Command(ctx, "unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/hosts && exec sh -c "$2"`, "sh", h.hosts, prelude+commands)
	cmd.Dir, cmd.Env = h.folder, buildsAnywhere()
	return cmd
}

var serve = regexp.MustCompile(`^(?:sudo )?(?:\./)?probe-agent serve\b`)

// follow does what a block says.
func (h *host) follow(t *testing.T, b block) {
	switch {
	case b.notRun != "":
		t.Logf("not run: %s", b.notRun)
		return
	case serve.MatchString(b.commands) && !strings.Contains(b.commands, "--check-config"):
		h.stop(t)
		h.start(t, b.commands)
		return
	case h.agent == nil:
		h.start(t, "probe-agent serve --names off")
	}
	ctx, cancel := context.WithTimeout(t.Context(), blockTime)
	defer cancel()
	cmd := h.command(ctx, b.commands)
	// What a block leaves in the background may hold the pipe, not the test.
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s\n%s", err, b.commands, out)
	} else {
		t.Logf("\n%s\n%s", b.commands, out)
	}
}

// start starts an agent, which listens when this returns.
func (h *host) start(t *testing.T, commands string) {
	t.Helper()
	// It outlives the block's test; stop is called in any case.
	agent := h.command(afterTest(t), "exec "+strings.TrimPrefix(commands, "sudo "))
	stderr, err := agent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	h.agent, h.log = agent, &agentLog{Scanner: bufio.NewScanner(stderr)}
	if !h.log.listening() {
		h.agent = nil
		t.Fatalf("%s\ndoes not listen (%v):\n%s", commands, agent.Wait(), h.log.said.String())
	}
}

// stop ends the agent, if one runs.
func (h *host) stop(t *testing.T) {
	t.Helper()
	if h.agent == nil {
		return
	}
	agent := h.agent
	h.agent = nil
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	h.log.rest()
	if err := agent.Wait(); err != nil {
		t.Errorf("the agent ended with %v:\n%s", err, h.log.said.String())
	}
}
