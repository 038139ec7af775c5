package api

import (
	"context"
	"log"
	"log/slog"
	"strings"

	"probe-agent/access"
)

// maxErrorLine bounds a line of net/http about a connection, in bytes: it may
// repeat what the client sent.
const maxErrorLine = 512

// errorLog passes the lines of an http.Server on to a structured log.
type errorLog struct{ to *slog.Logger }

func newErrorLog(to *slog.Logger) *log.Logger { return log.New(errorLog{to}, "", 0) }

// Write logs one line.
func (l errorLog) Write(line []byte) (int, error) {
	text := access.Redact(strings.TrimSuffix(string(line), "\n"))
	level := levelOf(text)
	if level < slog.LevelWarn && len(text) > maxErrorLine {
		text = strings.ToValidUTF8(text[:maxErrorLine], "") + "…"
	}
	l.to.Log(context.Background(), level, text)
	return len(line), nil
}

// levelOf returns the level of a line of net/http. What any client can cause, by
// a port scan or a health check that only connects, is for debugging. A
// certificate that one side did not accept is worth knowing: the other end, or
// this one, is configured wrongly.
func levelOf(line string) slog.Level {
	if rest, ok := strings.CutPrefix(line, "http: TLS handshake error"); ok {
		if strings.Contains(rest, "certificate") {
			return slog.LevelInfo
		}
		return slog.LevelDebug
	}
	for _, prefix := range []string{"http2: server", "http2: received GOAWAY", "timeout waiting for "} {
		if strings.HasPrefix(line, prefix) {
			return slog.LevelDebug
		}
	}
	return slog.LevelWarn
}
