// Package inputfile reads the files that settings name, in a process that must
// neither hang nor grow when one of them does not answer: a named pipe that
// nobody writes to, a file on a network file system whose server is gone.
package inputfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// DefaultTimeout is how long one system call may take: more than a disk that
// has to spin up needs.
const DefaultTimeout = 10 * time.Second

// ErrTimeout is matched by the error when the file system does not answer.
var ErrTimeout = errors.New("the file system does not answer")

// Opener opens files. Its zero value is ready for use. It must not be copied,
// and is safe for concurrent use.
//
// A system call cannot be cancelled: the goroutine of one that does not return
// stays until it does. They do not pile up, since the path is refused meanwhile.
type Opener struct {
	// Streams permits named pipes, sockets and devices too, such as /dev/stdin
	// or a shell's process substitution, and waits for them without a limit. It
	// is for programs that read once and end.
	Streams bool
	// Timeout is how long one system call may take; 0 means DefaultTimeout.
	Timeout time.Duration

	mu    sync.Mutex
	stuck map[string]bool // paths of system calls that have not returned in time

	// open is a seam of this package's tests; nil means os.OpenFile.
	open func(path string, flags int) (stream, error)
}

// stream is what is needed of an *os.File.
type stream interface {
	io.ReadCloser
	Stat() (fs.FileInfo, error)
}

// Open opens the file at path, which may be a symbolic link, for reading. ctx
// holds for the reading too. Errors name the path and what is wrong with it; they
// match ErrTimeout, or ctx's error.
func (o *Opener) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	limit := o.Timeout
	if limit == 0 {
		limit = DefaultTimeout
	}
	info, err := await(ctx, o, path, limit, func() (fs.FileInfo, error) { return os.Stat(path) }, nil)
	if err != nil {
		return nil, err
	}
	// Without this flag open(2) waits until somebody writes to a named pipe. The
	// file may have become one since Stat.
	flags := unix.O_NONBLOCK
	switch {
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a directory", path)
	case o.permits(info):
	case o.Streams:
		flags, limit = 0, 0
	default:
		return nil, irregular(path, info)
	}
	file, err := await(ctx, o, path, limit, func() (stream, error) { return o.openFile(path, flags) },
		func(file stream) {
			if file != nil {
				_ = file.Close()
			}
		})
	if err != nil {
		return nil, err
	}
	f := &input{ctx: ctx, opener: o, path: path, limit: limit, file: file}
	if info, err = file.Stat(); err == nil && !o.Streams && !o.permits(info) {
		err = irregular(path, info)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReadAll returns what the file at path holds, at most limit bytes: more are an
// error.
func (o *Opener) ReadAll(ctx context.Context, path string, limit int) ([]byte, error) {
	file, err := o.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, int64(limit)+1))
	if err == nil && len(data) > limit {
		err = fmt.Errorf("%s: is larger than %d bytes", path, limit)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func (o *Opener) openFile(path string, flags int) (stream, error) {
	if o.open != nil {
		return o.open(path, flags)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|flags, 0)
	if err != nil {
		return nil, err // and no file, instead of one that is a nil pointer
	}
	return file, nil
}

// permits reports whether a file is read within the time limit: a regular file,
// or /dev/null, which is how an empty one is named.
func (o *Opener) permits(info fs.FileInfo) bool {
	if info.Mode().IsRegular() {
		return true
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(null, info)
}

func irregular(path string, info fs.FileInfo) error {
	kind := "a device"
	switch info.Mode().Type() {
	case fs.ModeNamedPipe:
		kind = "a pipe"
	case fs.ModeSocket:
		kind = "a socket"
	}
	return fmt.Errorf("%s: is %s and cannot be read again; it must be a regular file", path, kind)
}
