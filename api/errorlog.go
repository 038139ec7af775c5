package api

import (
	"context"
	"log/slog"
	"strings"

	"probe-agent/access"
)

// maxErrorLine bounds a line of net/http about a connection, in bytes: it may
// repeat what the client sent.
const maxErrorLine = 512

// errorLog is a handler for the lines of an http.Server: it finds the level that
// a line deserves, and bounds it.
type errorLog struct{ slog.Handler }

// Enabled reports true: the level is known only when the line is.
func (errorLog) Enabled(context.Context, slog.Level) bool { return true }

// Handle logs one line.
func (l errorLog) Handle(ctx context.Context, r slog.Record) error {
	text := access.Redact(r.Message)
	level := levelOf(text)
	if !l.Handler.Enabled(ctx, level) {
		return nil
	}
	if level < slog.LevelWarn && len(text) > maxErrorLine {
		text = strings.ToValidUTF8(text[:maxErrorLine], "") + "…"
	}
	return l.Handler.Handle(ctx, slog.NewRecord(r.Time, level, text, r.PC))
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
