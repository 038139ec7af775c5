//go:build linux

package e2e

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
)

// atOnce is how many tests run at once: far more than there are processors,
// since most of their time they wait for what never comes.
const atOnce = "12"

// TestMain builds the program and puts it first in PATH, where tests find it.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	if kernel.Available() != nil {
		os.Exit(m.Run()) // every test skips and says why
	}
	folder, err := install()
	if err == nil {
		err = keepStamping()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if err := os.RemoveAll(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		os.Exit(code)
	}))
}

// keepStamping opens a socket that wants receive stamps, for as long as the
// process lives. The kernel stops stamping when the last such socket of the
// host is closed, a little later than that: an engine opened in between would
// see its first answers without.
func keepStamping() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("keep the kernel stamping: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_RX_SOFTWARE); err != nil {
		return errors.Join(fmt.Errorf("keep the kernel stamping: %w", err), unix.Close(fd))
	}
	return nil
}

// install builds probe-agent, with the race detector when this test has it,
// into a new folder that every user can read. On error it leaves nothing.
func install() (folder string, err error) {
	folder, err = os.MkdirTemp("", "probe-agent-e2e-")
	if err != nil {
		return "", err
	}
	if err := build(folder); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, os.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

func build(folder string) error {
	if err := os.Chmod(folder, 0o755); err != nil {
		return err
	}
	args := append([]string{"build", "-o", folder}, buildFlags()...)
	out, err := exec.Command("go", append(args, "probe-agent/cmd/probe-agent")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("building probe-agent: %w\n%s", err, out)
	}
	return nil
}
