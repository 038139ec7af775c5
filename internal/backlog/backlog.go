// Package backlog keeps a log from holding up whoever writes to it.
//
// A pipe whose reader has stopped takes 64 KiB and then blocks: every request of
// a server that logs would wait for it.
package backlog

import (
	"io"
	"sync"
	"time"
)

// Limit is how many bytes wait for the reader at most. What is written beyond
// that is dropped, in whole writes.
const Limit = 1 << 20

// Writer passes on what it is given, in order, and never waits. Safe for
// concurrent use.
type Writer struct {
	to   io.Writer
	tell func(lost int) []byte

	mu      sync.Mutex
	waiting []byte
	entries int // writes in waiting
	lost    int
	closed  bool

	news chan struct{} // capacity 1
	done chan struct{}
}

// New returns a Writer to another one, which needs a Close. What tell returns
// is written where writes were dropped, with their number. Writes that the other
// writer fails to take are dropped too; the notice follows when it takes writes
// again, such as when a disk has space or a FIFO a reader.
func New(to io.Writer, tell func(lost int) []byte) *Writer {
	w := &Writer{to: to, tell: tell, news: make(chan struct{}, 1), done: make(chan struct{})}
	go w.pass()
	return w
}

// Write takes a copy of b, or drops it. It returns its length and no error.
func (w *Writer) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lost > 0 || len(w.waiting)+len(b) > Limit {
		w.lost++ // also what would have room: the notice goes where the gap is
	} else {
		w.waiting = append(w.waiting, b...)
		w.entries++
	}
	w.poke()
	return len(b), nil
}

// Close waits until everything has been passed on, but for patience at most;
// after that the goroutine that waits for the reader stays behind. What is
// written later is dropped.
func (w *Writer) Close(patience time.Duration) {
	w.mu.Lock()
	w.closed = true
	w.poke()
	w.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	}
}

func (w *Writer) poke() {
	select {
	case w.news <- struct{}{}:
	default:
	}
}

// pass writes what has gathered until the Writer is closed and empty.
func (w *Writer) pass() {
	defer close(w.done)
	var writing []byte
	failed := 0 // entries that could not be written since the last notice
	for range w.news {
		for {
			w.mu.Lock()
			writing, w.waiting = w.waiting, writing[:0]
			entries, lost, closed := w.entries, w.lost, w.closed
			w.entries, w.lost = 0, 0
			w.mu.Unlock()
			if entries == 0 && lost == 0 {
				if closed {
					return
				}
				break
			}
			if failed > 0 && w.write(w.tell(failed)) {
				failed = 0
			}
			if entries > 0 && !w.write(writing) {
				failed += entries
			}
			if lost > 0 && !w.write(w.tell(lost)) {
				failed += lost
			}
		}
	}
}

// write reports whether the other writer has taken b.
func (w *Writer) write(b []byte) bool {
	_, err := w.to.Write(b)
	return err == nil
}
