package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveTCP serves h on loopback with a bound on its connections.
func serveTCP(t testing.TB, h http.Handler, most int) string {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(h, quiet())
	LimitConnections(server, most)
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	return listener.Addr().String()
}

// occupy opens connections that have each sent a text, and keeps them.
func occupy(t testing.TB, address string, n int, text string) []net.Conn {
	t.Helper()
	conns := make([]net.Conn, n)
	for i := range conns {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp4", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		conns[i] = c
	}
	return conns
}

// occupyIdle opens connections that have each had a request answered, and keeps
// them.
func occupyIdle(t testing.TB, address string, n int) []net.Conn {
	t.Helper()
	conns := occupy(t, address, n, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
	for _, c := range conns {
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(io.Discard, answer.Body)
		if answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK || answer.Close {
			t.Fatalf("%s, close %t, %v", answer.Status, answer.Close, err)
		}
	}
	return conns
}

// askOn asks on a connection of its own.
func askOn(t testing.TB, address string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, "http://"+address+endpoint, strings.NewReader(goodBody))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v: %s", answer.StatusCode, err, body)
	}
}

// slowHeader is a request that does not get on.
const slowHeader = "POST " + endpoint + " HTTP/1.1\r\nHost: 127.0.0.1\r\nX-"

// Whoever holds every connection, silent, slow or kept for a next request, locks
// nobody out; the oldest go first.
func TestConnectionsMakeRoom(t *testing.T) {
	for name, fill := range map[string]func(address string, n int) []net.Conn{
		"silent": func(address string, n int) []net.Conn { return occupy(t, address, n, "") },
		"slow":   func(address string, n int) []net.Conn { return occupy(t, address, n, slowHeader) },
		"kept":   func(address string, n int) []net.Conn { return occupyIdle(t, address, n) },
	} {
		t.Run(name, func(t *testing.T) {
			address := serveTCP(t, newHandler(t, &fakeColo{name: "den01"}), 20)
			conns := fill(address, 20)
			for range 5 {
				askOn(t, address)
			}
			// The oldest was closed for the first request, and more of them if that
			// one's connection was still open at the next. Of those kept, any may
			// have become idle first.
			if name != "kept" {
				conns = conns[:1]
			}
			if firstClosed(t, conns) < 0 {
				t.Error("the oldest connection is open")
			}
		})
	}
}

// firstClosed returns which of the connections is the first that the server
// closes; below 0 when none is within the time that it gives those who have
// not finished their header.
func firstClosed(t *testing.T, conns []net.Conn) int {
	t.Helper()
	closed := make(chan int, len(conns))
	for i, c := range conns {
		go func() { // until the connection ends with the test
			if _, err := c.Read(make([]byte, 1)); errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) {
				closed <- i
			}
		}()
	}
	select {
	case i := <-closed:
		return i
	case <-time.After(ReadTimeout - time.Second):
		return -1
	}
}

// A connection with a request under way is never the one to go.
func TestConnectionsKeepRequests(t *testing.T) {
	var closed []string
	server := &http.Server{ReadHeaderTimeout: time.Second}
	LimitConnections(server, 2)
	conns := make([]*recordedConn, 5)
	for i := range conns {
		conns[i] = &recordedConn{name: fmt.Sprint(i), closed: &closed}
	}
	server.ConnState(conns[0], http.StateNew)
	server.ConnState(conns[0], http.StateActive)
	server.ConnState(conns[1], http.StateNew)
	server.ConnState(conns[2], http.StateNew) // 1 goes
	server.ConnState(conns[1], http.StateActive)
	server.ConnState(conns[2], http.StateActive)
	server.ConnState(conns[3], http.StateNew)    // all are busy: goes itself
	server.ConnState(conns[3], http.StateClosed) // which makes no room
	server.ConnState(conns[0], http.StateIdle)
	server.ConnState(conns[4], http.StateNew) // 0 goes
	if got := strings.Join(closed, " "); got != "1 3 0" {
		t.Errorf("closed %s, want 1 3 0", got)
	}
}

type recordedConn struct {
	net.Conn

	name   string
	closed *[]string
}

func (c *recordedConn) Close() error { *c.closed = append(*c.closed, c.name); return nil }

// Two thousand idle connections, of which half were good for a request before,
// and two hundred slow ones are no hindrance.
func TestManyConnections(t *testing.T) {
	address := serveTCP(t, newHandler(t, &fakeColo{name: "den01"}), DefaultConnections)
	occupy(t, address, 1000, "")
	occupyIdle(t, address, 1000)
	occupy(t, address, 200, slowHeader)
	for range 10 {
		askOn(t, address)
	}
}

// BenchmarkRequest is the time of a request on a connection of its own, alone
// and among those that do nothing.
func BenchmarkRequest(b *testing.B) {
	for _, others := range []struct{ idle, slow int }{{0, 0}, {2000, 200}} {
		b.Run(fmt.Sprintf("idle=%d,slow=%d", others.idle, others.slow), func(b *testing.B) {
			address := serveTCP(b, newHandler(b, &fakeColo{name: "den01"}), DefaultConnections)
			occupy(b, address, others.idle/2, "")
			occupyIdle(b, address, others.idle/2)
			occupy(b, address, others.slow, slowHeader)
			for b.Loop() {
				askOn(b, address)
			}
		})
	}
}
