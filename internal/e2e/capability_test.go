//go:build linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	libcap "kernel.org/pub/linux/libs/security/libcap/cap"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// granted returns a folder with a copy of the program that has file
// capabilities, as setcap(8) gives them, where every user can run it.
func granted(t *testing.T, capabilities string) (folder string) {
	t.Helper()
	from, err := exec.LookPath("probe-agent")
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	path := filepath.Join(folder, "probe-agent")
	for _, step := range []func() error{
		func() error { return os.WriteFile(path, program, 0o755) },
		func() error { return os.Chmod(folder, 0o755) },
		func() error { return os.Chmod(filepath.Dir(folder), 0o755) }, // which is the owner's alone
		func() error {
			set, err := libcap.FromText(capabilities)
			if err != nil {
				return err
			}
			return set.SetFile(path)
		},
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// asNobody are programs that start another one as a user who owns nothing, from
// a folder that is looked into first.
func asNobody(t *testing.T, folder string) []string {
	t.Helper()
	kerneltest.Program(t, "setpriv", "util-linux")
	return []string{
		"env", "PATH=" + folder + ":" + os.Getenv("PATH"),
		"setpriv", fmt.Sprint("--reuid=", nobody), fmt.Sprint("--regid=", nobody), "--clear-groups",
	}
}

// With the file capability, whether it is in effect from the start or not, any
// user can trace and serve; and what serves has given it up by the time it
// listens, on every thread and for good.
func TestFileCapability(t *testing.T) {
	t.Parallel()
	lab := kerneltest.Build(t, kernel.Chain(1))
	for _, capabilities := range []string{"cap_net_raw=ep", "cap_net_raw=p"} {
		by := asNobody(t, granted(t, capabilities))
		trace := lab.Command(t.Context(), by[0], append(by[1:], "probe-agent", "trace", "--names", "off", lab.Target.IPv4.String())...)
		trace.Env = environment()
		if out, err := trace.CombinedOutput(); err != nil || !strings.Contains(string(out), lab.Routers[0].IPv4.String()) {
			t.Errorf("%s: trace: %v\n%s", capabilities, err, out)
		}
		d := startDaemon(t, lab, by, "--names", "off")
		d.powerless(t)
		for _, ipv6 := range []bool{false, true} {
			a := d.ask(t, "POST", endpointPath, body(lab.Target.Addr(ipv6), ""))
			if len(a.Result) != 1 || len(a.Result[0].Colos[0].Hops) != 2 {
				t.Errorf("%s: %d %s", capabilities, a.status, a.body)
			}
		}
		d.powerless(t)
		d.healthy(t)
	}
}

// powerless demands that no thread of the daemon is root's, has any capability,
// or can get one.
func (d *daemon) powerless(t *testing.T) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", d.process.Process.Pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("%d threads, %v", len(threads), err)
	}
	const none = "0000000000000000"
	user := strings.Repeat("\t"+fmt.Sprint(nobody), 4)[1:] // real, effective, saved and of the file system
	want := map[string]string{"Uid": user, "Gid": user, "CapEff": none, "CapPrm": none, "CapInh": none, "CapAmb": none, "NoNewPrivs": "1"}
	for _, thread := range threads {
		status, err := os.ReadFile(thread)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for line := range strings.Lines(string(status)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ":\t")
			if _, asked := want[name]; asked {
				got[name] = value
			}
		}
		equal(t, want, got)
	}
}
