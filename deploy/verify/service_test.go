package verify

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// serves runs the unit's ExecStart below dir, as another user with the one
// capability, and traces with it.
func serves(t *testing.T, dir, address string) {
	t.Helper()
	_, start, found := strings.Cut(read(t, filepath.Join(dir, "usr/lib/systemd/system/probe-agent.service")), "\nExecStart=")
	start, _, _ = strings.Cut(start, "\n")
	args := strings.Fields(start)
	if !found || len(args) == 0 {
		t.Fatal("the unit starts nothing")
	}
	lab := kerneltest.Build(t, kernel.Chain(1))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	agent := lab.Command(ctx, args[0], args[1:]...)
	agent.Env = []string{"PROBE_AGENT_NAMES=off", "NOTIFY_SOCKET=/run/notify"}
	manager := listensFor(t, filepath.Join(dir, "run/notify"))
	agent.SysProcAttr = &syscall.SysProcAttr{
		Chroot:      dir,
		Credential:  &syscall.Credential{Uid: 65534, Gid: 65534},
		AmbientCaps: []uintptr{capNetRaw},
	}
	agent.Dir = "/"
	stderr, err := agent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	log := agentLog{Scanner: bufio.NewScanner(stderr)}
	if !log.listening() {
		t.Fatalf("%s does not listen (%v):\n%s", start, agent.Wait(), log.said.String())
	}
	if said := manager(); said != "READY=1" {
		t.Errorf("to the service manager it says %q first, want that it is ready", said)
	}
	target := lab.Targets(false)[0].String()
	if diff := cmp.Diff([]string{lab.Routers[0].IPv4.String(), target}, trace(t, lab, address, target)); diff != "" {
		t.Errorf("hops (-want +got):\n%s", diff)
	}
	if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	log.rest()
	if err := agent.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log.said.String())
	}
}

// listensFor is the service manager that a unit with Type=notify reports to,
// at the socket of that path. It returns what waits for the next report.
func listensFor(t *testing.T, path string) func() string {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.RemoveAll(path)); err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	err = errors.Join(os.Chmod(path, 0o777), conn.SetReadDeadline(time.Now().Add(patience)))
	if err != nil {
		t.Fatal(err)
	}
	return func() string {
		report := make([]byte, 4096)
		n, err := conn.Read(report)
		if err != nil {
			t.Fatal(err)
		}
		return string(report[:n])
	}
}

// capNetRaw is the number of CAP_NET_RAW (capability.h).
const capNetRaw = 13
