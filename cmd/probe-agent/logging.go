package main

import (
	"io"
	"log/slog"
)

type logLevel string

func (v *logLevel) UnmarshalText(text []byte) error {
	return oneOf((*string)(v), text, "debug", "info", "warn", "error")
}

// newLogger returns the logger of the process.
func newLogger(w io.Writer, format logFormat, level logLevel) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	switch level {
	case "debug":
		options.Level = slog.LevelDebug
	case "warn":
		options.Level = slog.LevelWarn
	case "error":
		options.Level = slog.LevelError
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}
