//go:build linux

package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"probe-agent/internal/netsim/kernel"
)

// patience is how long tests wait for what must come.
const patience = 30 * time.Second

// daemon is `probe-agent serve` as a process on a lab's host.
type daemon struct {
	*kernel.Lab
	process *kernel.Cmd
	address string
	token   string      // that the client shows; none when empty
	secure  *tls.Config // of the client; nil: plain HTTP
	log     *bufio.Scanner
	client  *http.Client
	law     law
	// atRest is what it had open when it began to listen.
	atRest     map[string]int
	terminated bool
}

// environment is that of a program which may have been built with the race
// detector: a race ends it at once, with an exit code of its own.
func environment() []string {
	return append(os.Environ(), "GORACE=halt_on_error=1 atexit_sleep_ms=0")
}

// newDaemon starts the daemon, which asks no name server, on a free port of the host's loopback, waits
// until it listens, and demands that it ends well after the test.
func newDaemon(t *testing.T, lab *kernel.Lab, options ...string) *daemon {
	t.Helper()
	return startDaemon(t, lab, nil, append([]string{"--names", "off"}, options...)...)
}

// startDaemon does the same without saying anything of name servers. The
// daemon is started by another program, with its arguments, if that is given.
func startDaemon(t *testing.T, lab *kernel.Lab, by []string, options ...string) *daemon {
	t.Helper()
	command := slices.Concat(by, []string{"probe-agent", "serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--colo", "den01", "--city", "Denver"}, options)
	d := &daemon{Lab: lab, process: lab.Command(context.Background(), command[0], command[1:]...), law: loadLaw(t)}
	d.process.Env = environment()
	stderr, err := d.process.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.stop(t) })
	d.log = bufio.NewScanner(stderr)
	d.address, _ = d.awaitLog(t, "listening")["address"].(string)
	d.atRest = d.descriptors(t)
	d.client = &http.Client{
		Timeout: patience,
		Transport: &http.Transport{
			DialContext:           func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx) },
			DisableKeepAlives:     true,
			ExpectContinueTimeout: patience,
		},
	}
	return d
}

// url is where the daemon serves path.
func (d *daemon) url(path string) string {
	if d.secure != nil {
		return "https://" + d.address + path
	}
	return "http://" + d.address + path
}

// dial connects to the daemon from the host that it runs on.
func (d *daemon) dial(ctx context.Context) (conn net.Conn, err error) {
	err = d.Do(func() (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", d.address)
		return err
	})
	return conn, err
}

// entry is a line of the daemon's log.
type entry map[string]any

// awaitLog reads the log up to the entry with that message.
func (d *daemon) awaitLog(t testing.TB, message string) entry {
	t.Helper()
	return d.await(t, func(e entry) bool { return e["msg"] == message })
}

// await reads the log up to the entry that fits.
func (d *daemon) await(t testing.TB, fits func(entry) bool) entry {
	t.Helper()
	for d.log.Scan() {
		var e entry
		if err := json.Unmarshal(d.log.Bytes(), &e); err != nil {
			t.Fatalf("log line %q: %v", d.log.Text(), err)
		}
		if fits(e) {
			return e
		}
	}
	t.Fatalf("the log ends: %v", d.log.Err())
	return nil
}

// terminate sends SIGTERM, once: a second one would not be waited out.
func (d *daemon) terminate(t testing.TB) {
	t.Helper()
	if d.terminated {
		return
	}
	d.terminated = true
	if err := d.process.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
}

// stop ends the daemon. Its exit status must be 0, and all that it has written
// must have been log.
func (d *daemon) stop(t testing.TB) {
	t.Helper()
	d.terminate(t)
	for d.log.Scan() {
		if !json.Valid(d.log.Bytes()) {
			t.Errorf("log: %s", d.log.Text())
		}
	}
	if err := d.process.Wait(); err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
}

// descriptors returns what the daemon has open.
func (d *daemon) descriptors(t testing.TB) map[string]int {
	t.Helper()
	return descriptors(t, fmt.Sprint(d.process.Process.Pid))
}

// eventually waits until nothing is wrong any more. What changes without a
// sign has to be asked for again and again.
func eventually(t testing.TB, wrong func() string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for {
		still := wrong()
		if still == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("after %v: %s", patience, still)
		}
	}
}

// exitCode returns the exit code of a program that has run.
func exitCode(t testing.TB, err error) int {
	t.Helper()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}
