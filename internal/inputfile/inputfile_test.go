package inputfile

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadAll(t *testing.T) {
	dir := t.TempDir()
	large := strings.Repeat("x", 3*blockSize+1)
	// As Kubernetes mounts ConfigMaps: links to files behind a link to a folder.
	if err := os.MkdirAll(filepath.Join(dir, "..2026"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "..2026", "config"), "content")
	fifo, link := filepath.Join(dir, "fifo"), filepath.Join(dir, "link")
	listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	if err := errors.Join(
		os.Symlink("..2026", filepath.Join(dir, "..data")), os.Symlink("..data/config", filepath.Join(dir, "config")),
		unix.Mkfifo(fifo, 0o600), os.Symlink("fifo", link),
	); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		path    string
		want, e string
	}{
		{write(t, filepath.Join(dir, "regular"), "text"), "text", ""},
		{filepath.Join(dir, "config"), "content", ""},
		{write(t, filepath.Join(dir, "large"), large), large, ""},
		{write(t, filepath.Join(dir, "larger"), large+"x"), "", "is larger than"},
		{os.DevNull, "", ""},
		{fifo, "", "fifo: is a pipe and cannot be read again; it must be a regular file"},
		{link, "", "link: is a pipe"},
		{filepath.Join(dir, "socket"), "", "socket: is a socket"},
		{"/dev/zero", "", "/dev/zero: is a device"},
		{dir, "", "is a directory"},
		{filepath.Join(dir, "absent"), "", "no such file"},
	}
	for _, tt := range tests {
		data, err := new(Opener).ReadAll(t.Context(), tt.path, len(large))
		if string(data) != tt.want || (err == nil) != (tt.e == "") || err != nil && !strings.Contains(err.Error(), tt.e) {
			t.Errorf("%s: %d bytes, error %v; want %d, %q", tt.path, len(data), err, len(tt.want), tt.e)
		}
	}

	// A program that reads once takes a pipe, however late somebody writes to it.
	go func() {
		if err := os.WriteFile(fifo, []byte("piped"), 0); err != nil {
			t.Error(err)
		}
	}()
	streams := &Opener{Streams: true}
	if data, err := streams.ReadAll(t.Context(), fifo, 10); string(data) != "piped" || err != nil {
		t.Errorf("read %q from a pipe, error %v", data, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := streams.Open(ctx, fifo); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want that of the context", err)
	}
}

// hung is a file of which a call returns when it is let go.
type hung struct {
	stream
	letGo  chan struct{}
	closed chan struct{}
}

func (h *hung) Read([]byte) (int, error) { <-h.letGo; return 0, io.EOF }
func (h *hung) Close() error             { close(h.closed); return h.stream.Close() }

// A file system that does not answer costs the time limit once, and what was
// opened is closed when it answers after all. The end of the context ends the
// waiting at once.
func TestHungFileSystem(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "file"), "text")
	tests := []struct {
		name      string
		hangsOpen bool
		cancelled bool
		want      error
		took      time.Duration
	}{
		{"open", true, false, ErrTimeout, DefaultTimeout},
		{"read", false, false, ErrTimeout, DefaultTimeout},
		{"open, shutdown", true, true, context.Canceled, time.Second},
		{"read, shutdown", false, true, context.Canceled, time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := &hung{letGo: make(chan struct{}), closed: make(chan struct{})}
				o := &Opener{open: func(path string, _ int) (stream, error) {
					if tt.hangsOpen {
						<-h.letGo
					}
					file, err := os.Open(path)
					h.stream = file
					return h, err
				}}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.cancelled {
					time.AfterFunc(time.Second, cancel)
				}
				began := time.Now()
				_, err := o.ReadAll(ctx, path, 10)
				if took := time.Since(began); !errors.Is(err, tt.want) || !strings.HasPrefix(err.Error(), path) || took != tt.took {
					t.Errorf("%v after %v, want %v after %v", err, took, tt.want, tt.took)
				}
				if _, err := o.ReadAll(t.Context(), path, 10); !errors.Is(err, ErrTimeout) {
					t.Errorf("while it hangs: %v", err)
				}
				close(h.letGo)
				<-h.closed
				synctest.Wait()
				o.open = nil
				if data, err := o.ReadAll(t.Context(), path, 10); string(data) != "text" || err != nil {
					t.Errorf("afterwards: %q, %v", data, err)
				}
			})
		})
	}
}
