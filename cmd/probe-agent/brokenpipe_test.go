package main

import (
	"errors"
	"net/http"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// The reader of standard error goes away, as when journald or a log collector
// restarts: serve goes on and still ends with exit code 0.
func TestServeOutlivesItsLog(t *testing.T) {
	a := startAgent(t)
	if err := a.stderr.Close(); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 30 * time.Second}
	for range 3 { // each is logged
		response, err := client.Get("http://" + a.address + "/nothing")
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if answer := a.traceTo(t, "127.0.0.1"); answer == "" {
		t.Error("no answer")
	}
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status := a.exitOf(t); status.Signaled() || status.ExitStatus() != exitOK {
		t.Errorf("status %#x after SIGTERM, want exit code 0", status)
	}
}

// `trace --follow | head` ends with head.
func TestTraceEndsWithItsReader(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("raw sockets need root")
	}
	trace := exec.CommandContext(t.Context(), "probe-agent", "trace", "--follow", "--json", "--names", "off", "-q", "1", "-m", "1", "127.0.0.1")
	stdout, err := trace.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := stdout.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	stdout.Close()
	exit, ok := errors.AsType[*exec.ExitError](trace.Wait())
	if !ok || t.Context().Err() != nil {
		t.Fatalf("ended with %v, want death by SIGPIPE", exit)
	}
	if status, _ := exit.Sys().(syscall.WaitStatus); status.Signal() != syscall.SIGPIPE {
		t.Errorf("status %#x, want death by SIGPIPE", status)
	}
}
