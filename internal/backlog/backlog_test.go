package backlog_test

import (
	"bytes"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/internal/backlog"
)

// pipe is a writer whose reader may have stopped.
type pipe struct {
	bytes.Buffer
	stopped chan struct{} // closed when it reads again
}

func (p *pipe) Write(b []byte) (int, error) {
	<-p.stopped
	return p.Buffer.Write(b)
}

func notice(lost int) []byte { return fmt.Appendf(nil, "lost %d\n", lost) }

// TestStoppedReader: nobody waits for a reader that has stopped; it gets what
// there was room for, in order, and is told of the rest.
func TestStoppedReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{stopped: make(chan struct{})}
		w := backlog.New(p, notice)
		line := strings.Repeat("x", 1023) + "\n"
		began := time.Now()
		fmt.Fprintln(w, "first")
		synctest.Wait() // it is being written, and waits for the reader
		const fits = backlog.Limit / 1024
		for range fits + 70 {
			fmt.Fprint(w, line)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("writing took %v", took)
		}
		close(p.stopped)
		synctest.Wait()
		fmt.Fprintln(w, "last")
		w.Close(time.Hour)
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		if want := "first\n" + strings.Repeat(line, fits) + "lost 70\nlast\n"; p.String() != want {
			t.Errorf("%d bytes, want %d; the end is %q", p.Len(), len(want), p.String()[max(0, p.Len()-40):])
		}
	})
}

// TestCloseHasPatience: a reader that never comes back keeps nobody from ending.
func TestCloseHasPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipe{stopped: make(chan struct{})}
		w := backlog.New(p, notice)
		fmt.Fprintln(w, "first")
		began := time.Now()
		w.Close(time.Second)
		if took := time.Since(began); took != time.Second {
			t.Errorf("closing took %v, want 1s", took)
		}
		close(p.stopped) // or the goroutine outlives the test
	})
}

// TestCloseOfIdleWriter: without anything to write Close is at once.
func TestCloseOfIdleWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		backlog.New(new(bytes.Buffer), notice).Close(time.Hour)
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
	})
}

// broken is a writer that fails until it is mended.
type broken struct {
	bytes.Buffer
	err error
}

func (b *broken) Write(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return b.Buffer.Write(p)
}

// TestFailedWrites: what cannot be written is counted, and the notice comes
// before the first entry that is written again.
func TestFailedWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &broken{err: syscall.EPIPE}
		w := backlog.New(b, notice)
		for range 3 {
			fmt.Fprintln(w, "gone")
			synctest.Wait()
		}
		b.err = nil
		fmt.Fprintln(w, "back")
		w.Close(time.Hour)
		if want := "lost 3\nback\n"; b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	})
}
