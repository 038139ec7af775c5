package api

import (
	"log/slog"
	"net/http"
	"time"
)

// Limits of a connection.
const (
	// ReadTimeout is for header and body together: ample for the few kilobytes
	// of any real client. It ends with the body, and does not cut traces.
	ReadTimeout = 5 * time.Second
	// WriteTimeout counts from the end of the header to the end of the
	// answer: the body, the traces, annotation, and some seconds to write.
	WriteTimeout = ReadTimeout + Deadline + annotateTimeout + 5*time.Second
	// IdleTimeout is above the 60 s that proxies keep connections for.
	IdleTimeout = 90 * time.Second
	// MaxHeaderBytes is some ten times what a real client sends.
	MaxHeaderBytes = 64 << 10
)

// NewServer returns a server for handler with every limit set. Problems of
// single connections go to log as warnings; nil means slog.Default().
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
		ErrorLog:       slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// OPTIONS * is answered by the handler too, in the envelope.
		DisableGeneralOptionsHandler: true,
	}
}
