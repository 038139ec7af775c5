package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limited returns the beginning of a command line that runs a program with so
// many file descriptors.
func limited(t *testing.T, descriptors string) []string {
	t.Helper()
	if _, err := exec.LookPath("prlimit"); err != nil {
		t.Skip("prlimit is not installed (Debian package util-linux)")
	}
	return []string{"prlimit", "--nofile=" + descriptors + ":" + descriptors}
}

// With few descriptors, idle connections make room for new ones and for health
// checks, as they do at max-connections.
func TestFewDescriptors(t *testing.T) {
	const idle = 1100
	var own unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &own); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []string{"64", "1024"} {
		t.Run(limit, func(t *testing.T) {
			a := launchAgentBy(t, limited(t, limit), "--names", "off")
			if limit == "64" {
				a.awaitLog(t, "fewer source ports than usual: more traces to one target wait for each other; the limit of file descriptors (RLIMIT_NOFILE) is low, or no range of ports is free")
			}
			a.awaitLog(t, "fewer connections than max-connections: the limit of file descriptors (RLIMIT_NOFILE) is too low")
			a.address, _ = a.awaitLog(t, "listening")["address"].(string)
			conns := idle
			if limit == "64" {
				conns = 100
			}
			if own.Cur < uint64(conns)+100 {
				t.Skipf("the test may have only %d file descriptors", own.Cur)
			}
			for i := range conns {
				conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", a.address)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				// One that has had a request may be idle for 90 s.
				if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); err != nil {
					t.Fatal(err)
				}
				response, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatalf("connection %d: %v", i, err)
				}
				response.Body.Close()
			}
			client := http.Client{Timeout: 20 * time.Second}
			response, err := client.Get("http://" + a.address + "/healthz")
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if answer := a.traceTo(t, "127.0.0.1"); response.StatusCode != http.StatusOK || answer == "" {
				t.Errorf("health check: %s; trace: %s", response.Status, answer)
			}
		})
	}
}
