package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// process is `probe-agent serve` as a process of its own.
type process struct {
	*exec.Cmd
	address string
	stderr  io.Closer // the read end of its log
	log     *bufio.Scanner
}

// startAgent starts it on a free port of loopback, with further arguments, and
// waits until it listens.
func startAgent(t *testing.T, args ...string) *process {
	t.Helper()
	a := launchAgent(t, args...)
	a.address, _ = a.awaitLog(t, "listening")["address"].(string)
	return a
}

// launchAgent is startAgent without waiting.
func launchAgent(t *testing.T, args ...string) *process {
	t.Helper()
	return launchAgentBy(t, nil, args...)
}

// launchAgentBy has another program start it, with its arguments, if that is
// given.
func launchAgentBy(t *testing.T, by []string, args ...string) *process {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("raw sockets need root")
	}
	command := slices.Concat(by, []string{"probe-agent", "serve", "--listen", "127.0.0.1:0", "--log-format", "json"}, args)
	a := &process{Cmd: exec.CommandContext(t.Context(), command[0], command[1:]...)}
	stderr, err := a.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	a.stderr, a.log = stderr, bufio.NewScanner(stderr)
	return a
}

// awaitLog reads the log up to the entry with that message.
func (a *process) awaitLog(t *testing.T, message string) map[string]any {
	t.Helper()
	for a.log.Scan() {
		var entry map[string]any
		if err := json.Unmarshal(a.log.Bytes(), &entry); err != nil {
			t.Fatalf("log line %q: %v", a.log.Text(), err)
		}
		if entry["msg"] == message {
			return entry
		}
	}
	t.Fatalf("the log ends without %q", message)
	return nil
}

// exitOf waits for the end of the process.
func (a *process) exitOf(t *testing.T) syscall.WaitStatus {
	t.Helper()
	err := a.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	} else if ok && exit.ProcessState == nil {
		t.Fatal("no state")
	}
	status, ok := a.ProcessState.Sys().(syscall.WaitStatus)
	if !ok {
		t.Fatalf("state is %T", a.ProcessState.Sys())
	}
	return status
}

const traceRequest = `{"targets":["127.0.0.1"],"options":{"packets_per_ttl":2}}`

// holdRequest sends a request but for its body, and returns once the agent
// waits for that.
func (a *process) holdRequest(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", a.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /accounts/a/diagnostics/traceroute HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", len(traceRequest))
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, line); err != nil || !strings.HasPrefix(string(line), "HTTP/1.1 100") {
		t.Fatalf("got %q, %v; want 100 Continue", line, err)
	}
	return conn
}

func TestServe(t *testing.T) {
	a := startAgent(t)
	client := http.Client{Timeout: 30 * time.Second}
	response, err := client.Post("http://"+a.address+"/client/v4/accounts/a/diagnostics/traceroute", "application/json", strings.NewReader(traceRequest))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("status %s, body %s, error %v", response.Status, body, err)
	}
	for _, part := range []string{`"success":true`, `"name":"loc01"`, `"packets_ttl":1`, `"packet_count":2`} {
		if !strings.Contains(string(body), part) {
			t.Errorf("answer lacks %s: %s", part, body)
		}
	}
	numbers, err := client.Get("http://" + a.address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer numbers.Body.Close()
	body, err = io.ReadAll(numbers.Body)
	if err != nil || numbers.StatusCode != http.StatusOK {
		t.Fatalf("status %s, body %s, error %v", numbers.Status, body, err)
	}
	for _, line := range []string{
		`probe_agent_traces_total{family="ipv4",method="icmp",outcome="reached"} 1`,
		`probe_agent_rtt_seconds_count{family="ipv4",method="icmp"} 2`,
		`probe_agent_family_usable{family="ipv4"} 1`,
		`probe_agent_http_requests_total{code="200",route="/client/v4/accounts/{account_id}/diagnostics/traceroute"} 1`,
	} {
		if !strings.Contains(string(body), "\n"+line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	// How many probes also went beyond the target is a matter of timing.
	for _, name := range []string{"probes_sent_total", `replies_total{fate="matched"}`, "receive_buffer_bytes"} {
		if !strings.Contains(string(body), "\nprobe_agent_"+name+" ") || strings.Contains(string(body), "\nprobe_agent_"+name+" 0\n") {
			t.Errorf("/metrics has no %s above 0", name)
		}
	}
	if err := a.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "stopped")
	if status := a.exitOf(t); status.ExitStatus() != exitOK {
		t.Errorf("exit status %d after SIGTERM, want 0", status.ExitStatus())
	}
}

// A request that was under way when the signal came is answered, while no new
// connection is accepted.
func TestServeFinishesRequests(t *testing.T) {
	a := startAgent(t)
	held := a.holdRequest(t)
	if err := a.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	a.awaitLog(t, "shutting down")

	if _, err := io.WriteString(held, traceRequest); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(held), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("the request under way got %s", response.Status)
	}
	a.awaitLog(t, "stopped")
	if status := a.exitOf(t); status.ExitStatus() != exitOK {
		t.Errorf("exit status %d, want 0", status.ExitStatus())
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", a.address); err == nil {
		conn.Close()
		t.Error("it still accepts connections")
	}
}

// A second signal does not wait for anything.
func TestServeSecondSignal(t *testing.T) {
	a := startAgent(t)
	a.holdRequest(t)
	for _, wait := range []string{"shutting down", ""} {
		if err := a.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if wait != "" {
			a.awaitLog(t, wait)
		}
	}
	started := time.Now()
	if status := a.exitOf(t); !status.Signaled() || status.Signal() != syscall.SIGTERM {
		t.Errorf("ended with status %#x, want death by SIGTERM", status)
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("took %v to end", took)
	}
}
