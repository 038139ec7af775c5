package api

import (
	"log/slog"
	"net/http"
	"time"

	"probe-agent/api/body"
	"probe-agent/service"
)

// Limits of a connection.
const (
	// ReadTimeout is for header and body together. It ends with the body, and
	// does not cut traces.
	ReadTimeout = body.Timeout
	// WriteTimeout counts from the end of the header to the end of the
	// answer: the body, the traces, annotation, and some seconds to write.
	WriteTimeout = ReadTimeout + service.Deadline + service.AnnotateTimeout + 5*time.Second
	// IdleTimeout is above the 60 s that proxies keep connections for.
	IdleTimeout = 90 * time.Second
	// MaxHeaderBytes is some ten times what a real client sends. It bounds what
	// a connection holds before anybody knows whose it is.
	MaxHeaderBytes = 16 << 10
)

// NewServer returns a server for handler with every limit set. Its own problems
// go to log as warnings, those of single connections at lower levels, see
// errorLog; nil means slog.Default().
func NewServer(handler http.Handler, log *slog.Logger) *http.Server {
	if log == nil {
		log = slog.Default()
	}
	return &http.Server{
		Handler:        handler,
		ReadTimeout:    ReadTimeout,
		WriteTimeout:   WriteTimeout,
		IdleTimeout:    IdleTimeout,
		MaxHeaderBytes: MaxHeaderBytes,
		ErrorLog:       slog.NewLogLogger(errorLog{log.Handler()}, slog.LevelWarn),
		// What a connection may send before a handler reads it.
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: body.MaxSize, MaxReceiveBufferPerConnection: 4 * body.MaxSize},
		// OPTIONS * is answered by the handler too, in the envelope.
		DisableGeneralOptionsHandler: true,
	}
}
