package service

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"probe-agent/traceroute"
)

// acknowledgeTimeout is how long a remote colo may take to accept a batch.
const acknowledgeTimeout = 2 * time.Second

// remote is a Colo in another process.
type remote struct {
	process *exec.Cmd
	input   io.WriteCloser
	ready   chan struct{} // closed when the process has said that it is
	gone    chan struct{} // closed when nothing more comes from the process

	mu    sync.Mutex // guards what follows
	last  int
	calls map[int]*remoteCall
	ended map[int]line  // the last line of each call
	more  chan struct{} // closed and replaced when ended has one more
}

// remoteCall is a batch under way.
type remoteCall struct {
	lines chan line
	over  chan struct{} // closed when nobody receives lines any more
}

// startRemote starts the process, which the test's end ends.
func startRemote(t *testing.T) *remote {
	t.Helper()
	r := &remote{process: exec.CommandContext(t.Context(), os.Args[0]), ready: make(chan struct{}), gone: make(chan struct{}), calls: make(map[int]*remoteCall), ended: make(map[int]line), more: make(chan struct{})}
	r.process.Env = append(os.Environ(), childVariable+"=1")
	r.process.Stderr = os.Stderr
	output, err := r.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.input, err = r.process.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.process.Start(); err != nil {
		t.Fatal(err)
	}
	go r.read(output)
	t.Cleanup(func() {
		_ = r.input.Close()
		_ = r.process.Process.Kill()
		<-r.gone
		_ = r.process.Wait() // it was killed
	})
	select {
	case <-r.ready:
	case <-r.gone:
		t.Fatal("the process does not start")
	}
	return r
}

// read hands out the lines of the process.
func (r *remote) read(output io.Reader) {
	defer close(r.gone)
	lines := bufio.NewScanner(output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) != nil || l.Version != wireVersion {
			return
		}
		if l.Ready {
			close(r.ready)
			continue
		}
		r.mu.Lock()
		to := r.calls[l.Call]
		if l.End {
			r.ended[l.Call] = l
			close(r.more)
			r.more = make(chan struct{})
		}
		r.mu.Unlock()
		if to != nil {
			select {
			case to.lines <- l:
			case <-to.over:
			}
		}
	}
}

func (r *remote) Info() traceroute.Colo {
	return traceroute.Colo{Name: "child01", City: "Simulated"}
}

func (r *remote) Trace(ctx context.Context, batch traceroute.Batch, events chan<- traceroute.Event) error {
	c := &remoteCall{lines: make(chan line), over: make(chan struct{})}
	r.mu.Lock()
	r.last++
	id := r.last
	r.calls[id] = c
	r.mu.Unlock()
	defer func() {
		close(c.over)
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.calls, id)
	}()
	if err := r.send(line{Call: id, Batch: &batch}); err != nil {
		return &traceroute.Failure{Code: traceroute.TimedOut, Reason: "is offline", Err: err}
	}
	acknowledged := time.NewTimer(acknowledgeTimeout)
	defer acknowledged.Stop()
	for {
		select {
		case l := <-c.lines:
			switch {
			case l.Accepted:
				acknowledged.Stop()
			case l.Event != nil:
				events <- *l.Event
			case l.End:
				return nil
			}
		case <-acknowledged.C:
			return &traceroute.Failure{Code: traceroute.TimedOut, Reason: "did not acknowledge the request"}
		case <-r.gone:
			return &traceroute.Failure{Code: traceroute.TimedOut, Reason: "was lost while the trace was under way"}
		case <-ctx.Done():
			_ = r.send(line{Call: id, Cancel: true}) // lost or not, nobody listens any more
			return ctx.Err()
		}
	}
}

// endOf waits until the process has ended a call, and returns its last line.
func (r *remote) endOf(t *testing.T, id int) line {
	t.Helper()
	for {
		r.mu.Lock()
		end, more := r.ended[id], r.more
		r.mu.Unlock()
		if end.End {
			return end
		}
		select {
		case <-more:
		case <-r.gone:
			t.Fatal("the process has ended")
		}
	}
}

func (r *remote) send(l line) error {
	l.Version = wireVersion
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err = r.input.Write(append(text, '\n'))
	return err
}
