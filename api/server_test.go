package api

import (
	"bufio"
	"context"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/service"
	"probe-agent/traceroute"
)

// pipes is a listener whose connections are in memory, so that servers live in
// a bubble's time.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.closed); return nil }
func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// dial returns the client's end of a new connection.
func (p *pipes) dial() net.Conn {
	client, server := net.Pipe()
	p.accept <- server
	return client
}

// serve runs NewServer until the returned function is called.
func serve(t *testing.T, h http.Handler) (*pipes, func()) {
	t.Helper()
	p := &pipes{make(chan net.Conn), make(chan struct{})}
	server := NewServer(h, quiet())
	done := make(chan error)
	go func() { done <- server.Serve(p) }()
	return p, func() {
		if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		if err := <-done; err != http.ErrServerClosed {
			t.Error(err)
		}
	}
}

func closeAll(conns []net.Conn) {
	for _, c := range conns {
		c.Close()
	}
}

func head(length string) string {
	return "POST " + endpoint + " HTTP/1.1\r\nHost: x\r\n" + length + "\r\n\r\n"
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// endless traces until it is told to end, and says how long that was.
func endless() (trace func(context.Context, string, traceroute.Spec) (*traceroute.Result, error), stopped chan time.Duration) {
	stopped = make(chan time.Duration, 1)
	return func(ctx context.Context, _ string, _ traceroute.Spec) (*traceroute.Result, error) {
		started := time.Now()
		<-ctx.Done()
		stopped <- time.Since(started)
		return nil, ctx.Err()
	}, stopped
}

// reply is an answer as it came over a connection.
type reply struct {
	status int
	closes bool // the connection
	body   string
}

// replyOf reads the next answer to its end.
func replyOf(t *testing.T, r *bufio.Reader) reply {
	t.Helper()
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Close, string(body)}
}

func TestClientGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		trace, stopped := endless()
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: trace}))
		defer stop()
		c := p.dial()
		write(t, c, head("Content-Length: 25")+goodBody)
		// Past every limit on reading: the client is patient, then goes.
		if err := after(t.Context(), 20*time.Second); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		if took := <-stopped; took != 20*time.Second {
			t.Errorf("probing stopped after %s, want 20s", took)
		}
	})
}

func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01"}))
		defer stop()
		c := p.dial()
		defer c.Close()
		started := time.Now()
		write(t, c, head("Content-Length: 25")+`{"targets"`)
		got := replyOf(t, bufio.NewReader(c))
		if took := time.Since(started); took != ReadTimeout {
			t.Errorf("took %s, want %s", took, ReadTimeout)
		}
		if got.status != http.StatusBadRequest || !strings.Contains(got.body, `"code":1001`) || !got.closes {
			t.Errorf("%+v", got)
		}
	})
}

// A trace may take longer than a body: the limit on reading must not end it.
func TestLongTraceOverConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, target string, _ traceroute.Spec) (*traceroute.Result, error) {
			if err := after(ctx, service.Deadline-time.Second); err != nil {
				return nil, err
			}
			return direct(target), nil
		}
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01", trace: slow}))
		defer stop()
		c := p.dial()
		defer c.Close()
		reader := bufio.NewReader(c)
		for range 2 { // over one kept connection
			write(t, c, head("Content-Length: 25")+goodBody)
			if got := replyOf(t, reader); got.status != http.StatusOK || strings.Contains(got.body, "Code 2") {
				t.Errorf("%+v", got)
			}
		}
	})
}

// A body that no handler reads must not hold its connection.
func TestUnreadBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01"}))
		defer stop()
		c := p.dial()
		defer c.Close()
		started := time.Now()
		write(t, c, "POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
		if _, err := io.ReadAll(c); err != nil { // until the server hangs up
			t.Fatal(err)
		}
		if took := time.Since(started); took > ReadTimeout+time.Second {
			t.Errorf("the connection lived %s", took)
		}
	})
}

// While the agent drains, every answer closes its connection, whatever it is: the
// next request goes elsewhere. Before that, connections are kept.
func TestDrainingClosesConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, &fakeColo{name: "den01"})
		p, stop := serve(t, h)
		defer stop()
		requests := map[string]int{ // to the status while draining
			head("Content-Length: 25") + goodBody:                                           http.StatusServiceUnavailable,
			strings.Replace(head("Content-Length: 25"), endpoint, nativePath, 1) + goodBody: http.StatusServiceUnavailable,
			"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n":                                       http.StatusServiceUnavailable,
			"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n":                                      http.StatusOK,
			"GET /openapi.yaml HTTP/1.1\r\nHost: x\r\n\r\n":                                 http.StatusOK,
			"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n":                                      http.StatusNotFound,
		}
		conns := make(map[string]net.Conn)
		defer func() { closeAll(slices.Collect(maps.Values(conns))) }()
		for request := range requests {
			c := p.dial()
			write(t, c, request)
			if got := replyOf(t, bufio.NewReader(c)); got.closes {
				t.Errorf("%q: %d closes its connection", request, got.status)
			}
			conns[request] = c
		}
		h.Drain()
		for request, status := range requests {
			write(t, conns[request], request)
			if got := replyOf(t, bufio.NewReader(conns[request])); got.status != status || !got.closes {
				t.Errorf("while draining, %q: status %d, closes its connection: %t", request, got.status, got.closes)
			}
		}
	})
}

// net/http would answer this by itself, outside of the envelope.
func TestOptionsStar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, stop := serve(t, newHandler(t, &fakeColo{name: "den01"}))
		defer stop()
		c := p.dial()
		defer c.Close()
		write(t, c, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n")
		got := replyOf(t, bufio.NewReader(c))
		if got.status != http.StatusNotFound || !strings.Contains(got.body, `"code":7003`) {
			t.Errorf("%+v", got)
		}
	})
}

// Whatever a request may take, it is answered before the SDKs give up.
func TestWriteTimeoutLeavesTime(t *testing.T) {
	if worst := ReadTimeout + service.Deadline + service.AnnotateTimeout; worst >= WriteTimeout || WriteTimeout >= time.Minute {
		t.Errorf("a request may take %v, and its answer is cut at %v", worst, WriteTimeout)
	}
}
