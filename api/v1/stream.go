package v1

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"probe-agent/api/envelope"
	"probe-agent/service"
)

const (
	// eventTimeout is how long one event may take to go out. A client that reads
	// more slowly loses its stream.
	eventTimeout = 10 * time.Second

	// heartbeat is for how long a stream is silent at most. Proxies drop
	// connections that are silent for longer, by default after 30 to 60 s.
	heartbeat = 10 * time.Second

	// streamTimeout is when a stream ends that is not read fast enough, counted
	// from its beginning.
	streamTimeout = service.Deadline + service.AnnotateTimeout + 5*time.Second
)

// eventWriter writes events, each whole and at once.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	form    form
	until   time.Time // nothing is written later
	last    uint64    // id of the last event; of a stream that is resumed: the one before
	begun   bool
}

func newEventWriter(w http.ResponseWriter, f form) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w), form: f, until: time.Now().Add(streamTimeout)}
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

// send writes one event. Nothing has been written when it panics for data without
// a JSON form. An error means that the client has gone or does not read; nothing
// more can be sent then.
func (s *eventWriter) send(id uint64, name string, data any) error {
	return s.sendJSON(id, name, envelope.Render(data))
}

// sendJSON is send for data that has been rendered.
func (s *eventWriter) sendJSON(id uint64, name string, data []byte) error {
	text := encodeEvent(s.form, id, name, data)
	s.begin()
	s.last = id
	return s.write(text)
}

// abort sends the event that ends a stream which cannot come to its end.
func (s *eventWriter) abort(code int, text string) error {
	return s.send(s.last+1, EventAborted, Aborted{Errors: []Error{{Code: code, Message: text}}})
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
	return s.write(encodeEvent(s.form, s.last, EventHeartbeat, []byte("{}")))
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

// encodeEvent is the event as it goes out: a line of JSON, or a block of
// server-sent events, whose data is one line because JSON escapes line ends.
func encodeEvent(f form, id uint64, name string, data []byte) []byte {
	number := strconv.FormatUint(id, 10)
	if f == sseForm {
		return append(append([]byte("event: "+name+"\nid: "+number+"\ndata: "), data...), "\n\n"...)
	}
	return append(append([]byte(`{"event":"`+name+`","id":`+number+`,"data":`), data...), "}\n"...)
}
