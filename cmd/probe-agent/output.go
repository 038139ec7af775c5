package main

import (
	"io"
	"sync"
)

// outputWriter is standard output. It keeps the first error of a write, so that every
// subcommand fails when its output is incomplete, whether or not the code that
// printed looks at the error. Safe for concurrent use.
type outputWriter struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

// Write writes p. After an error nothing more is written, and each call returns
// that error.
func (o *outputWriter) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	var n int
	n, o.err = o.w.Write(p)
	return n, o.err
}

// Err returns the first error of a write, nil if there was none.
func (o *outputWriter) Err() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// Fd returns the file descriptor that is written to, so that a terminal can be
// asked for its size. It is no descriptor when the output is not a file.
func (o *outputWriter) Fd() uintptr {
	if file, ok := o.w.(interface{ Fd() uintptr }); ok {
		return file.Fd()
	}
	return ^uintptr(0)
}
