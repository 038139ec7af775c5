package sandbox_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/internal/sandbox"
)

// confinedProcess is the variable that makes TestConfinedProcess the program
// under test.
const confinedProcess = "PROBE_AGENT_TEST_CONFINED_PROCESS"

// TestConfine runs a copy of this test program as root, which loses all that
// root may do.
func TestConfine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: there is nothing to lose without it")
	}
	program := copyOfThisProgram(t)
	cmd := exec.CommandContext(t.Context(), program, "-test.run", "^TestConfinedProcess$", "-test.v")
	cmd.Env = append(os.Environ(), confinedProcess+"="+t.TempDir(), "GORACE=atexit_sleep_ms=0")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "confined on 8 threads") {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestConfinedProcess is nothing by itself: TestConfine runs it.
func TestConfinedProcess(t *testing.T) {
	folder := os.Getenv(confinedProcess)
	if folder == "" {
		return
	}
	foreign := filepath.Join(folder, "foreign")
	err := errors.Join(os.WriteFile(foreign, nil, 0o600), os.Chown(foreign, 65534, 65534))
	open, errOpen := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
	if err := errors.Join(err, errOpen); err != nil {
		t.Fatal(err)
	}
	if err := sandbox.Confine(); err != nil {
		t.Fatal(err)
	}
	// What was open goes on working.
	echo := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0}
	if err := unix.Sendto(open, echo, 0, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Errorf("sending on a socket opened before: %v", err)
	}
	const threads = 8
	results := make(chan error)
	for range threads {
		go func() {
			runtime.LockOSThread()
			results <- errors.Join(forbidden(folder, foreign)...)
		}()
	}
	for range threads {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	// Nor does a program have it that this one starts.
	status, err := exec.CommandContext(t.Context(), "cat", "/proc/self/status").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"CapInh:\t0000000000000000\n", "CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n", "CapAmb:\t0000000000000000\n", "NoNewPrivs:\t1\n"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("a child has no %q:\n%s", want, status)
		}
	}
	fmt.Printf("confined on %d threads\n", threads)
}

// forbidden tries what takes a capability, and returns what it could do.
func forbidden(folder, foreign string) []error {
	tries := map[string]func() error{
		"opening a raw socket": func() error {
			_, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMP)
			return err
		},
		"opening a packet socket": func() error {
			_, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
			return err
		},
		"mounting": func() error { return unix.Mount("none", folder, "tmpfs", 0, "") },
		// The thread alone: what the package syscall offers is for all of them.
		"setuid": func() error {
			if _, _, errno := unix.RawSyscall(unix.SYS_SETUID, 65534, 0, 0); errno != 0 {
				return errno
			}
			return nil
		},
		"making a namespace": func() error { return unix.Unshare(unix.CLONE_NEWNET) },
		"a host name":        func() error { return unix.Sethostname([]byte("other")) },
		"another's file": func() error {
			_, err := os.ReadFile(foreign)
			return err
		},
	}
	var could []error
	for what, try := range tries {
		if err := try(); !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES) {
			could = append(could, fmt.Errorf("%s: %v, want a refusal", what, err))
		}
	}
	return could
}
