package v1

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// counted counts writes.
type counted struct {
	*httptest.ResponseRecorder
	writes int
}

func (c *counted) Write(text []byte) (int, error) {
	c.writes++
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
