package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager is the socket of a service manager, as sd_notify(3) has it.
type manager struct{ *net.UnixConn }

// manage makes agents that this test starts report to a manager, with a
// watchdog of that interval.
func manage(t *testing.T, watchdog time.Duration) manager {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(watchdog.Microseconds()))
	return manager{conn}
}

// await reads notifications up to one that begins so.
func (m manager) await(t *testing.T, beginning string) string {
	t.Helper()
	buffer := make([]byte, 4096)
	if err := m.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := m.Read(buffer)
		if err != nil {
			t.Fatalf("waiting for %s: %v", beginning, err)
		}
		if said := string(buffer[:n]); strings.HasPrefix(said, beginning) {
			return said
		}
	}
}

// The service manager learns when the agent is ready, reloads, lives and stops.
func TestServiceManager(t *testing.T) {
	m := manage(t, 200*time.Millisecond)
	a := startAgent(t)
	m.await(t, "READY=1")
	m.await(t, "WATCHDOG=1")
	m.await(t, "WATCHDOG=1") // from an agent that nobody asks anything

	if err := a.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if said := m.await(t, "RELOADING=1"); !regexp.MustCompile(`^RELOADING=1\nMONOTONIC_USEC=[1-9][0-9]*\n?$`).MatchString(said) {
		t.Errorf("said %q", said)
	}
	m.await(t, "READY=1")

	a.terminate(t)
	m.await(t, "STOPPING=1")
	if status := a.exitOf(t); status.ExitStatus() != exitOK {
		t.Errorf("exit status %#x", status)
	}
}

// terminate sends SIGTERM and waits for the last line of the log.
func (a *process) terminate(t *testing.T) {
	t.Helper()
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "stopped")
}

// Once it listens no thread of the agent may do more than any user's program,
// and it traces all the same, also after a reload and through an interface.
func TestConfined(t *testing.T) {
	for _, args := range [][]string{nil, {"--interface", "lo"}, {"--source", "127.0.0.1"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			a := startAgent(t, args...)
			threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", a.Process.Pid))
			if err != nil || len(threads) < 2 {
				t.Fatalf("threads %v, error %v", threads, err)
			}
			for _, thread := range threads {
				status, err := os.ReadFile(thread)
				if err != nil {
					t.Fatal(err)
				}
				for _, want := range []string{"CapInh:\t0000000000000000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "CapAmb:\t0000000000000000", "NoNewPrivs:\t1"} {
					if !strings.Contains(string(status), want+"\n") {
						t.Errorf("%s lacks %s:\n%s", thread, want, status)
					}
				}
			}
			if err := a.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			a.awaitLog(t, "configuration reloaded")
			if answer := a.traceTo(t, "127.0.0.1"); !strings.Contains(answer, `"ip":"127.0.0.1","name":"127.0.0.1","packet_count":1`) {
				t.Errorf("cannot trace: %s", answer)
			}
			a.terminate(t)
		})
	}
}
