package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// halfClosed sends one request over a TCP connection, closes the sending side
// when the trace runs or, if early, at once, and returns all that comes back.
func halfClosed(t *testing.T, request string, early bool) []byte {
	t.Helper()
	running, ended := make(chan struct{}), make(chan struct{})
	trace := func(ctx context.Context, _ string, _ traceroute.Spec) (*traceroute.Result, error) {
		close(running)
		<-ctx.Done()
		close(ended)
		return nil, ctx.Err()
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(newHandler(t, &fakeColo{name: "den01", trace: trace}), quiet())
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	write(t, c, request)
	if !early {
		<-running
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil && len(got) > 0 {
		t.Errorf("reading the answer: %v", err)
	}
	if !early {
		<-ended
	}
	if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	return got
}

// A client that has closed its side, or has gone, which looks the same, ends its
// probes. It never gets an empty 200: either nothing, by a connection that ends
// without an answer, or a stream that ends by saying so.
func TestHalfClosedClient(t *testing.T) {
	for _, early := range []bool{false, true} {
		for _, version := range []string{"1.1", "1.0"} {
			for path, accepts := range map[string][]string{
				endpoint:                             {"application/json"},
				"/accounts/a/diagnostics/traceroute": {"application/json"},
				nativePath:                           {"application/json", "application/x-ndjson", "text/event-stream"},
			} {
				for _, accept := range accepts {
					t.Run(fmt.Sprintf("early %t/HTTP %s/%s/%s", early, version, path, accept), func(t *testing.T) {
						got := halfClosed(t, fmt.Sprintf("POST %s HTTP/%s\r\nHost: x\r\nAccept: %s\r\nContent-Length: %d\r\n\r\n%s", path, version, accept, len(goodBody), goodBody), early)
						if len(got) > 0 {
							checkAborted(t, got, accept)
						} else if !early && accept != "application/json" {
							t.Error("nothing, of a stream that had begun")
						}
					})
				}
			}
		}
	}
}

// checkAborted checks an answer to a client that had closed its side.
func checkAborted(t *testing.T, got []byte, accept string) {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(got)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK || accept == "application/json" {
		t.Fatalf("%s, %v: %q", answer.Status, err, body)
	}
	lines := strings.Split(strings.TrimSpace(string(body)), "\n")
	last := strings.TrimPrefix(lines[len(lines)-1], "data: ")
	var event struct {
		Errors []envelope.Message `json:"errors"`
		Data   struct {
			Errors []envelope.Message `json:"errors"`
		} `json:"data"`
	}
	if err := json.Unmarshal([]byte(last), &event); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	// Its id is that of the event before: a client that resumes after it misses nothing.
	ids := regexp.MustCompile(`(?m)^(?:id: |\{"event":"[a-z]+","id":)([0-9]+)`).FindAllSubmatch(body, -1)
	if n := len(ids); n < 2 || !bytes.Equal(ids[n-1][1], ids[n-2][1]) {
		t.Errorf("ids %q", ids)
	}
	said := slices.Concat(event.Errors, event.Data.Errors)
	if len(said) != 1 || said[0].Code != envelope.CodeUnavailable || !strings.Contains(said[0].Message, "closed its side") {
		t.Errorf("the stream ends with %s", last)
	}
}
