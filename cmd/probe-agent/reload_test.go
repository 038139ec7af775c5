package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// hangUp writes the configuration anew and makes the agent read it.
func (a *process) hangUp(t *testing.T, path, config string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

// traceTo returns the answer to a request for one target.
func (a *process) traceTo(t *testing.T, target string) string {
	t.Helper()
	client := http.Client{Timeout: 30 * time.Second}
	body := fmt.Sprintf(`{"targets":[%q],"options":{"packets_per_ttl":1,"max_ttl":1}}`, target)
	response, err := client.Post("http://"+a.address+"/accounts/a/diagnostics/traceroute", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %s, error %v: %s", response.Status, err, answer)
	}
	return string(answer)
}

// SIGHUP puts a good configuration in use, files that it names included, and
// leaves the old one in use when anything in the new one is wrong.
func TestReload(t *testing.T) {
	folder := t.TempDir()
	config, numbers := filepath.Join(folder, "agent.yaml"), filepath.Join(folder, "asn.csv")
	write := func(asn string) {
		t.Helper()
		if err := os.WriteFile(numbers, []byte("127.0.0.0,127.255.255.255,"+asn+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := "names: off\nasn-data: " + numbers + "\n"
	write("64500")
	if err := os.WriteFile(config, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAgent(t, "--config", config)
	demand := func(when, asn string) {
		t.Helper()
		if answer := a.traceTo(t, "127.0.0.1"); !strings.Contains(answer, `"asn":"`+asn+`","ip":"127.0.0.1"`) {
			t.Errorf("%s: %s, want %s", when, answer, asn)
		}
	}
	demand("at the start", "AS64500")

	// Everything that is wrong is told, with its place.
	write("64501")
	a.hangUp(t, config, good+"rate: fast\nlog-level: loud\n")
	for _, want := range []string{config + `:3: rate: "fast"`, config + `:4: log-level: "loud"`} {
		if entry := a.awaitLog(t, "configuration refused, the old one stays in use"); !strings.Contains(fmt.Sprint(entry["error"]), want) {
			t.Errorf("logged %v, want %s", entry["error"], want)
		}
	}
	demand("after a bad file", "AS64500")

	// A file that the configuration names is part of it.
	write("none")
	a.hangUp(t, config, good+"log-level: debug\n")
	if entry := a.awaitLog(t, "configuration refused, the old one stays in use"); !strings.Contains(fmt.Sprint(entry["error"]), numbers+":1") {
		t.Errorf("logged %v, want file and line", entry["error"])
	}
	demand("after a bad table", "AS64500")

	write("64502")
	a.hangUp(t, config, good+"log-level: debug\ncity: Elsewhere\ncolo: den01\n")
	for _, want := range []string{"colo", "city"} {
		if entry := a.awaitLog(t, "setting has changed and takes a restart"); entry["setting"] != want {
			t.Errorf("logged %v, want %s", entry, want)
		}
	}
	a.awaitLog(t, "configuration reloaded")
	demand("after a good file", "AS64502")
	if answer := a.traceTo(t, "127.0.0.1"); !strings.Contains(answer, `"name":"loc01"`) {
		t.Errorf("the colo has changed: %s", answer)
	}

	// The level is debug now: health checks have a line.
	response, err := http.Get("http://" + a.address + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	for a.awaitLog(t, "request")["path"] != "/healthz" {
		continue
	}

	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "stopped")
	if status := a.exitOf(t); status.ExitStatus() != exitOK {
		t.Errorf("exit status %d", status.ExitStatus())
	}
}

// A SIGHUP that comes while the agent reads its configuration for the first
// time is a reload after the start.
func TestHangUpWhileStarting(t *testing.T) {
	config := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(config, []byte(strings.Repeat("# a comment\n", 50_000)+"names: off\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	notices, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(notices)
	if _, err := unix.InotifyAddWatch(notices, config, unix.IN_OPEN); err != nil {
		t.Fatal(err)
	}
	a := launchAgent(t, "--config", config)
	if _, err := unix.Read(notices, make([]byte, unix.SizeofInotifyEvent)); err != nil {
		t.Fatal(err)
	}
	if err := a.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "configuration reloaded")
	a.terminate(t)
}

// SIGHUP is not what ends the agent while it waits for its last requests.
func TestHangUpWhileStopping(t *testing.T) {
	a := startAgent(t)
	held := a.holdRequest(t)
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "shutting down")
	if err := a.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(held, traceRequest); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "stopped")
	if status := a.exitOf(t); status.ExitStatus() != exitOK {
		t.Errorf("exit status %#x", status)
	}
}
