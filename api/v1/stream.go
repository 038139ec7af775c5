package v1

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"probe-agent/api/envelope"
	"probe-agent/service"
)

const (
	// eventTimeout is how long one write of events may take. A client that reads
	// more slowly loses its stream.
	eventTimeout = 10 * time.Second

	// heartbeat is for how long a stream is silent at most. Proxies drop
	// connections that are silent for longer, by default after 30 to 60 s.
	heartbeat = 10 * time.Second

	// streamTimeout is when a stream ends that is not read fast enough, counted
	// from its beginning.
	streamTimeout = service.Deadline + service.AnnotateTimeout + 5*time.Second

	// A stream is written to at most every writeEvery, after a burst: each write
	// costs a system call and wakes the client. Events that come meanwhile are
	// written together, and of a hop that changes twice only the latest state.
	writeEvery = 50 * time.Millisecond
	writeBurst = 5

	// writeSize is how many bytes of events are written at once, even when further
	// ones are at hand; a single event may be larger.
	writeSize = 64 << 10
)

// eventWriter writes events, those that are there at one time at once.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	form    form
	until   time.Time // nothing is written later
	last    uint64    // id of the last event; of a stream that is resumed: the one before
	begun   bool
	text    []byte        // events that have been added and not written
	pace    *rate.Limiter // of writing
}

func newEventWriter(w http.ResponseWriter, f form) *eventWriter {
	return &eventWriter{
		w: w, control: http.NewResponseController(w), form: f, until: time.Now().Add(streamTimeout),
		pace: rate.NewLimiter(rate.Every(writeEvery), writeBurst),
	}
}

// begin sends the header of the answer, unless it has been sent.
func (s *eventWriter) begin() {
	if s.begun {
		return
	}
	s.begun = true
	h := s.w.Header()
	h.Set("Content-Type", s.form.mediaType())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
}

// add adds an event, which flush writes. It panics for data without a JSON form,
// and has added nothing then.
func (s *eventWriter) add(id uint64, name string, data any) {
	s.addJSON(id, name, envelope.Render(data))
}

// addJSON is add for data that has been rendered.
func (s *eventWriter) addJSON(id uint64, name string, data []byte) {
	s.text = appendEvent(s.text, s.form, id, name, data)
	s.begin()
	s.last = id
}

// flush writes the events that have been added. An error means that the client
// has gone or does not read; nothing more can be written then.
func (s *eventWriter) flush() error {
	if len(s.text) == 0 {
		return nil
	}
	err := s.write(s.text)
	s.text = s.text[:0]
	return err
}

// flushIfLarge is flush once writeSize bytes have been added.
func (s *eventWriter) flushIfLarge() error {
	if len(s.text) < writeSize {
		return nil
	}
	return s.flush()
}

// rest waits, after flush, until more may be written, which is at once when ended
// is closed or ctx has ended.
func (s *eventWriter) rest(ctx context.Context, ended <-chan struct{}) {
	wait := s.pace.Reserve().Delay()
	if wait == 0 {
		return
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ended:
	case <-ctx.Done():
	}
}

// abort writes the event that ends a stream which cannot come to its end, after
// those that have been added.
func (s *eventWriter) abort(id uint64, code int, text string) error {
	s.add(id, EventAborted, Aborted{Errors: []Error{{Code: code, Message: text}}})
	return s.flush()
}

// beat shows that the stream lives. It is no event of its own in SSE, where
// comments are for that (HTML, section 9.2.7), and has the last event's id.
func (s *eventWriter) beat() error {
	if !s.begun {
		return nil
	}
	if s.form == sseForm {
		return s.write([]byte(": heartbeat\n\n"))
	}
	return s.write(appendEvent(nil, s.form, s.last, EventHeartbeat, []byte("{}")))
}

func (s *eventWriter) write(text []byte) error {
	deadline := time.Now().Add(eventTimeout)
	if deadline.After(s.until) {
		deadline = s.until
	}
	if err := s.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("v1: bounding a write: %w", err)
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("v1: writing an event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("v1: writing an event: %w", err)
	}
	return nil
}

// appendEvent appends the event as it goes out: a line of JSON, or a block of
// server-sent events, whose data is one line because JSON escapes line ends.
func appendEvent(text []byte, f form, id uint64, name string, data []byte) []byte {
	if f == sseForm {
		text = append(append(text, "event: "...), name...)
		text = strconv.AppendUint(append(text, "\nid: "...), id, 10)
		return append(append(append(text, "\ndata: "...), data...), "\n\n"...)
	}
	text = append(append(text, `{"event":"`...), name...)
	text = strconv.AppendUint(append(text, `","id":`...), id, 10)
	return append(append(append(text, `,"data":`...), data...), "}\n"...)
}
