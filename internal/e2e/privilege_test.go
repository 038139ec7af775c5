//go:build linux

package e2e

import (
	"bytes"
	"context"
	"strings"
	"syscall"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// nobody is the user that owns nothing.
const nobody = 65534

// Without CAP_NET_RAW the program says in one line what is missing and what
// to do, and exits with 2.
func TestWithoutPrivilege(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(0))
	for _, args := range [][]string{
		{"trace", lab.Target.IPv4.String()},
		{"serve", "--listen", "127.0.0.1:0"},
	} {
		t.Run(args[0], func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			program := lab.Command(context.Background(), "probe-agent", args...)
			program.Env, program.Stdout, program.Stderr = environment(), &stdout, &stderr
			program.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			if code := exitCode(t, program.Run()); code != 2 {
				t.Errorf("exit code %d, want 2", code)
			}
			said := stderr.String()
			if stdout.Len() != 0 || strings.Count(said, "\n") != 1 ||
				!strings.Contains(said, "CAP_NET_RAW is missing") || !strings.Contains(said, "setcap cap_net_raw") {
				t.Errorf("wrote %q and %q", stdout.String(), said)
			}
		})
	}
}
