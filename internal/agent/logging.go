package agent

import (
	"bytes"
	"io"
	"log/slog"
	"time"

	"probe-agent/internal/backlog"
	"probe-agent/internal/settings"
)

// logger is the logger of the process, and the minimum level that it logs.
type logger struct {
	*slog.Logger
	level   *slog.LevelVar
	waiting *backlog.Writer
}

// newLogger returns the logger of the process, which needs a close.
func newLogger(w io.Writer, s *settings.Values) logger {
	level := new(slog.LevelVar)
	level.Set(s.Level())
	form := func(w io.Writer) *slog.Logger {
		options := &slog.HandlerOptions{Level: level}
		if s.LogFormat == "json" {
			return slog.New(slog.NewJSONHandler(w, options))
		}
		return slog.New(slog.NewTextHandler(w, options))
	}
	waiting := backlog.New(w, func(lost int) []byte {
		var notice bytes.Buffer
		form(&notice).Error("log entries were dropped: they could not be written in time", "entries", lost)
		return notice.Bytes()
	})
	return logger{form(waiting), level, waiting}
}

// lastWords is how long the process waits at its end for the reader of its log.
const lastWords = time.Second

func (l logger) close() { l.waiting.Close(lastWords) }
