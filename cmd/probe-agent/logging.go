package main

import (
	"io"
	"log/slog"
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
	level *slog.LevelVar
}

// newLogger returns the logger of the process.
func newLogger(w io.Writer, format logFormat, least logLevel) logger {
	level := new(slog.LevelVar)
	level.Set(least.level())
	options := &slog.HandlerOptions{Level: level}
	if format == "json" {
		return logger{slog.New(slog.NewJSONHandler(w, options)), level}
	}
	return logger{slog.New(slog.NewTextHandler(w, options)), level}
}
