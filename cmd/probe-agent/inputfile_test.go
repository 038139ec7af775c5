package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/internal/certificate/certificatetest"
)

// A file that a setting names becomes a named pipe: the reload is refused, and
// neither it nor the end of the agent waits for somebody to write to the pipe.
func TestReloadOfPipes(t *testing.T) {
	dir := t.TempDir()
	certificate, key := certificatetest.New(t, "ca").Write(t, dir, "server")
	list, numbers, config := filepath.Join(dir, "list"), filepath.Join(dir, "asn.csv"), filepath.Join(dir, "agent.yaml")
	for path, content := range map[string]string{
		list: "192.0.2.1\n", numbers: "192.0.2.0,192.0.2.255,64500\n",
		config: fmt.Sprintf("names: off\ndo-not-probe: %s\nasn-data: %s\ntls-cert: %s\ntls-key: %s\n", list, numbers, certificate, key),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a := startAgent(t, "--config", config)
	for _, path := range []string{list, numbers, certificate, key, config} {
		saved := path + ".saved"
		if err := os.Rename(path, saved); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := a.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		entry := a.awaitLog(t, "configuration refused, the old one stays in use")
		if want := path + ": is a pipe and cannot be read again"; !strings.Contains(fmt.Sprint(entry["error"]), want) {
			t.Errorf("logged %v, want %s", entry["error"], want)
		}
		if path == config {
			continue
		}
		if err := os.Rename(saved, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := a.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if status := a.exitOf(t); status.ExitStatus() != exitOK || time.Since(began) > 10*time.Second {
		t.Errorf("status %#x after %v", status, time.Since(began))
	}
}

// A reload does not replace a valid certificate by one that has expired, and a
// configuration with one is not good.
func TestReloadExpiredCertificate(t *testing.T) {
	dir := t.TempDir()
	ca := certificatetest.New(t, "ca")
	certificate, key := ca.Write(t, dir, "server")
	a := startAgent(t, "--names", "off", "--tls-cert", certificate, "--tls-key", key)
	now := time.Now()
	ca.WriteFor(t, dir, "server", now.Add(-2*time.Hour), now.Add(-time.Hour))
	if err := a.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	entry := a.awaitLog(t, "configuration refused, the old one stays in use")
	if want := "server.pem: expired at"; !strings.Contains(fmt.Sprint(entry["error"]), want) {
		t.Errorf("logged %v, want %s", entry["error"], want)
	}
	var out, errs strings.Builder
	args := []string{"serve", "--check-config", "--tls-cert", certificate, "--tls-key", key}
	if code := run(args, &out, &errs); code != exitError || !strings.Contains(errs.String(), "server.pem: expired at") {
		t.Errorf("--check-config: code %d, %s%s", code, &out, &errs)
	}
}
