package main

import (
	"bytes"
	"io"
	"log/slog"
	"time"

	"probe-agent/internal/backlog"
)

type logLevel string

func (v *logLevel) UnmarshalText(text []byte) error {
	return oneOf((*string)(v), text, v.choices())
}

func (*logLevel) choices() []string { return []string{"debug", "info", "warn", "error"} }

// level returns the level as slog has it.
func (v logLevel) level() slog.Level {
	var level slog.Level
	if err := level.UnmarshalText([]byte(v)); err != nil {
		return slog.LevelInfo
	}
	return level
}

// logger is the logger of the process, and the least level that it logs.
type logger struct {
	*slog.Logger
	level   *slog.LevelVar
	waiting *backlog.Writer
}

// newLogger returns the logger of the process, which needs a close.
func newLogger(w io.Writer, format logFormat, least logLevel) logger {
	level := new(slog.LevelVar)
	level.Set(least.level())
	form := func(w io.Writer) *slog.Logger {
		options := &slog.HandlerOptions{Level: level}
		if format == "json" {
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
