package api

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"probe-agent/traceroute"
)

// records is a slog.Handler that hands out what is logged.
type records chan slog.Record

func (records) Enabled(context.Context, slog.Level) bool { return true }
func (r records) Handle(_ context.Context, record slog.Record) error {
	r <- record.Clone()
	return nil
}
func (r records) WithAttrs([]slog.Attr) slog.Handler { return r }
func (r records) WithGroup(string) slog.Handler      { return r }

// What any client can cause on a TLS port is for debugging, and bounded. That one
// side does not accept the other's certificate is worth a line.
func TestHandshakeLog(t *testing.T) {
	dial := func(config *tls.Config) func(*testing.T, string) {
		return func(t *testing.T, address string) {
			t.Helper()
			c, err := (&tls.Dialer{Config: config}).DialContext(t.Context(), "tcp", address)
			if err == nil {
				c.Close()
				t.Error("the handshake succeeded")
			}
		}
	}
	send := func(text string) func(*testing.T, string) {
		return func(t *testing.T, address string) {
			t.Helper()
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			write(t, c, text)
		}
	}
	var protocols []string
	for i := range 200 {
		protocols = append(protocols, fmt.Sprintf("%0200d", i))
	}
	for _, tt := range []struct {
		name   string
		client func(*testing.T, string)
		level  slog.Level
	}{
		{"connects and closes", send(""), slog.LevelDebug},
		{"plain HTTP", send("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), slog.LevelDebug},
		{"no TLS", send("\x00\x01\x02\x03\x04\x05\x06\x07"), slog.LevelDebug},
		{"half a record", send("\x16\x03\x01\x02\x00\x01"), slog.LevelDebug},
		{"old version", dial(&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}), slog.LevelDebug},
		{"many other protocols", dial(&tls.Config{InsecureSkipVerify: true, NextProtos: protocols}), slog.LevelDebug},
		{"distrusts the certificate", dial(&tls.Config{ServerName: "example.com"}), slog.LevelInfo},
	} {
		t.Run(tt.name, func(t *testing.T) {
			logged := make(records, 1)
			server := httptest.NewUnstartedServer(nil)
			server.Config = NewServer(newHandler(t, &fakeColo{name: "den01"}), slog.New(logged))
			server.StartTLS()
			defer server.Close()
			tt.client(t, server.Listener.Addr().String())
			line := <-logged
			if line.Level != tt.level || len(line.Message) > 600 || !strings.Contains(line.Message, "TLS handshake error") {
				t.Errorf("%v, want %v: %s", line.Level, tt.level, line.Message)
			}
		})
	}
	for line, want := range map[string]slog.Level{
		"http: Accept error: accept tcp: too many open files; retrying in 5ms":                              slog.LevelWarn,
		"http2: server: error reading preface from client 192.0.2.1:1: bogus greeting":                      slog.LevelDebug,
		"http2: server connection error from 192.0.2.1:1: connection error: PROTOCOL_ERROR":                 slog.LevelDebug,
		"http: panic serving 192.0.2.1:1: TLS handshake error":                                              slog.LevelWarn,
		"timeout waiting for SETTINGS frames from 192.0.2.1:1":                                              slog.LevelDebug,
		"http: superfluous response.WriteHeader call from probe-agent/api/envelope.writeBody (envelope.go)": slog.LevelWarn,
	} {
		if got := levelOf(line); got != want {
			t.Errorf("%v, want %v: %s", got, want, line)
		}
	}
}

// What a client sends takes a bounded part of a log line, at any length.
func TestLogIsBounded(t *testing.T) {
	long := strings.Repeat("é", 25_000)
	logged := make(records, 2)
	trace := func(context.Context, string, traceroute.Spec) (*traceroute.Result, error) { panic(long) }
	h := New(Config{Service: newService(t, &fakeColo{name: "den01", trace: trace}), Log: slog.New(logged)})
	ask := func(method, path string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, strings.NewReader(goodBody))
		r.Method = method
		if path != "" {
			r.URL.Path = path
		}
		for _, name := range []string{"User-Agent", "X-Forwarded-For", "Authorization", "X-Auth-Email", "cf-ray", "Cookie"} {
			r.Header.Set(name, long)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	check := func() {
		t.Helper()
		line := <-logged
		size := len(line.Message)
		line.Attrs(func(a slog.Attr) bool {
			if a.Key != "stack" {
				size += len(a.Value.String())
			}
			return true
		})
		if size > 1024 {
			t.Errorf("%d bytes about one request: %s", size, line.Message)
		}
	}
	ask(http.MethodPost, "/"+long)
	check()
	ask(long, "")
	check()
	ask(http.MethodPost, "/accounts/"+long+"/diagnostics/traceroute")
	check()
	ask(http.MethodPost, "") // panics: a line for that as well
	check()
	check()
}
