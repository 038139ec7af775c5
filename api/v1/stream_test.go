package v1

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/service"
)

// counted counts writes.
type counted struct {
	*httptest.ResponseRecorder
	writes, largest int
}

func (c *counted) Write(text []byte) (int, error) {
	c.writes++
	c.largest = max(c.largest, len(text))
	return c.ResponseRecorder.Write(text)
}

// A stream is written to a few times a second, with all events in it, and its
// end is not held up.
func TestWritesArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &counted{ResponseRecorder: httptest.NewRecorder()}
		out := newEventWriter(w, ndjsonForm)
		running, ended := make(chan struct{}), make(chan struct{})
		close(ended)
		started := time.Now()
		for range 20 {
			out.add(out.last+1, EventHop, struct{}{})
			out.add(out.last+1, EventHop, struct{}{})
			if err := out.flush(); err != nil {
				t.Fatal(err)
			}
			out.rest(t.Context(), running)
		}
		if took := time.Since(started); took != (20-writeBurst)*writeEvery || w.writes != 20 {
			t.Errorf("%d writes in %v", w.writes, took)
		}
		if n := strings.Count(w.Body.String(), "\n"); n != 40 {
			t.Errorf("%d events", n)
		}
		started = time.Now()
		out.rest(t.Context(), ended)
		if err := out.flush(); err != nil || w.writes != 20 || time.Since(started) != 0 {
			t.Errorf("at the end: %v, %d writes, %v", err, w.writes, time.Since(started))
		}
	})
}

// However much there is to write at once, a stream holds little of it, so that a
// client which reads slowly costs little and has time for each part.
func TestWritesAreBounded(t *testing.T) {
	const outcomes, size = 10, 50 << 10
	kept := &resource{started: 1, end: outcomes + 2}
	for i := range outcomes {
		kept.traces = append(kept.traces, service.Trace{})
		kept.outcomes = append(kept.outcomes, []byte(`"`+strings.Repeat("x", size)+`"`))
		kept.done = append(kept.done, doneEvent{uint64(i) + 2, i})
	}
	w := &counted{ResponseRecorder: httptest.NewRecorder()}
	if err := new(Handler).writeEvents(t.Context(), newEventWriter(w, ndjsonForm), kept, 0); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(w.Body.String(), "\n"); n != outcomes+2 || w.largest > writeSize+size+1<<10 {
		t.Errorf("%d events in %d writes of up to %d bytes", n, w.writes, w.largest)
	}
}
