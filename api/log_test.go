package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"probe-agent/access"
)

// lines is what a log wrote, from whichever goroutine.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// logOf serves raw requests, each over a TCP connection of its own, and returns
// all that was logged, of every level, until the server had ended.
func logOf(t *testing.T, c Config, requests []string) string {
	t.Helper()
	var written lines
	c.Log = slog.New(slog.NewTextHandler(&written, &slog.HandlerOptions{Level: slog.LevelDebug - 100}))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := NewServer(New(c), c.Log)
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	for _, request := range requests {
		speak(t, listener.Addr().String(), request)
	}
	if err := server.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	return written.text.String()
}

// speak sends a raw request and waits for the end of its answer.
func speak(t *testing.T, address, request string) {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%v, to %q", err, request)
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

// Whatever clients show, and wherever they put it by mistake, the log has the
// names of credentials and no secret, at any level.
func TestLogHasNoSecrets(t *testing.T) {
	k := newKeyring(t)
	k.secrets["stranger"] = access.NewToken()
	basic := base64.StdEncoding.EncodeToString([]byte("ops:" + k.secrets["ops"]))
	post := func(path, body string, headers ...string) string {
		return k.shown(fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s",
			path, len(k.shown(body)), strings.Join(append(headers, ""), "\r\n"), body))
	}
	requests := []string{
		post(pathOf("acme"), goodBody, "Authorization: Bearer {ops}"),
		post(nativePath, goodBody, "Authorization: Bearer {brief}"),
		post(pathOf("acme"), goodBody, "X-Auth-Email: ops@example.org", "X-Auth-Key: {key}"),
		post(pathOf("gamma"), goodBody, "Authorization: Bearer {ops}"),
		post(pathOf("acme"), goodBody, "Authorization: Bearer {old}"),
		post(pathOf("acme"), goodBody, "Authorization: Bearer {stranger}"),
		post(pathOf("acme"), goodBody, "Authorization: Bearer {key}"),
		post(pathOf("acme"), goodBody, "X-Auth-Email: eve@example.org", "X-Auth-Key: {key}"),
		post(pathOf("acme"), goodBody, "Authorization: {ops}"),
		post(pathOf("acme"), goodBody, "Authorization: Basic "+basic),
		post(pathOf("acme"), goodBody, "Authorization: Bearer {ops}, Bearer {ops}"),
		post(pathOf("acme"), goodBody, "Authorization: Bearer {ops}", "Authorization: Bearer {key}"),
		post(pathOf("acme"), goodBody, "Authorization : Bearer {ops}"),
		post(pathOf("acme"), goodBody, "X-Forwarded-For: {ops}", "cf-ray: {ops}", "User-Agent: {ops}", "Cookie: {ops}"),
		post(pathOf("acme")+"?token={ops}", goodBody),
		post(pathOf("{ops}"), goodBody),
		post("/{ops}/%7Bkey%7D/{key}", goodBody),
		post(pathOf("acme"), `{"targets":["{ops}"]}`, "Authorization: Bearer {ops}"),
		post(pathOf("acme"), `{"{ops}":`, "Authorization: Bearer {ops}"),
		k.shown("{ops} " + pathOf("acme") + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
		k.shown("POST /{ops}\x01 HTTP/1.1\r\nHost: {ops}\r\nConnection: close\r\n\r\n"),
		k.shown("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {ops}\r\n\r\n"),
	}
	// More strangers than one address may be, whose lines are for debugging.
	for range 2 * failureBurst {
		requests = append(requests, post(pathOf("acme"), goodBody, "Authorization: Bearer {stranger}"))
	}
	log := logOf(t, Config{Service: newService(t, &fakeColo{name: "den01"}), Credentials: k.registry}, requests)

	for name, secret := range k.secrets {
		// What is left of a secret that was cut out is its prefix.
		if bare := secret[len(access.TokenPrefix):]; strings.Contains(log, bare) {
			t.Errorf("the secret of %s is in the log", name)
		}
	}
	for _, word := range []string{basic, "Bearer", "Basic"} {
		if strings.Contains(log, word) {
			t.Errorf("%q is in the log", word)
		}
	}
	for _, want := range []string{
		"level=DEBUG", "level=INFO", "token=ops account=acme", "token=brief account=acme", "token=key account=acme", `token=ops account=""`, `token="" account=""`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("no %s in the log", want)
		}
	}
	if t.Failed() {
		t.Log(log)
	}
}
