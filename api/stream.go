package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	v1 "probe-agent/api/v1"
)

// eventTimeout is how long one event may take to go out. A client that reads
// so little ends its own request.
const eventTimeout = 10 * time.Second

// eventStream writes events, each whole and at once.
type eventStream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	form    answerForm
	until   time.Time // nothing is written later
	last    int       // id of the last event; 0: nothing has been written
}

// send writes one event. An error means that the client has gone or does not
// read; nothing more can be sent then.
func (s *eventStream) send(name string, data any) error {
	event := v1.Event{Name: name, ID: s.last + 1, Data: data}
	text := encodeEvent(s.form, event) // may panic: before anything is written
	if s.last == 0 {
		s.begin()
	}
	s.last++
	return s.write(text)
}

// fail sends the event that ends a stream which cannot come to its end.
func (s *eventStream) fail(code int, words string) error {
	return s.send(v1.EventAborted, v1.Aborted{Errors: []v1.Error{{Code: code, Message: words}}})
}

// beat shows that the stream lives. It is no event of its own in SSE, where
// comments are for that (HTML, section 9.2.7), and has the last event's id.
func (s *eventStream) beat() error {
	if s.last == 0 {
		return nil
	}
	if s.form == sseForm {
		return s.write([]byte(": heartbeat\n\n"))
	}
	return s.write(encodeEvent(s.form, v1.Event{Name: v1.EventHeartbeat, ID: s.last, Data: v1.Heartbeat{}}))
}

func (s *eventStream) begin() {
	h := s.w.Header()
	h.Set("Content-Type", s.form.mediaType())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	s.w.WriteHeader(http.StatusOK)
}

func (s *eventStream) write(text []byte) error {
	deadline := time.Now().Add(eventTimeout)
	if deadline.After(s.until) {
		deadline = s.until
	}
	if err := s.control.SetWriteDeadline(deadline); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("api: bounding a write: %w", err)
	}
	if _, err := s.w.Write(text); err != nil {
		return fmt.Errorf("api: writing an event: %w", err)
	}
	if err := s.control.Flush(); err != nil {
		return fmt.Errorf("api: writing an event: %w", err)
	}
	return nil
}

// encodeEvent is the event as it goes out: a line of JSON, or a block of
// server-sent events, whose data is one line because JSON escapes line ends.
func encodeEvent(form answerForm, event v1.Event) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	var v any = event
	if form == sseForm {
		fmt.Fprintf(&text, "event: %s\nid: %d\ndata: ", event.Name, event.ID)
		v = event.Data
	}
	if err := encoder.Encode(v); err != nil { // ends the line
		panic(err) // a type without JSON form: a bug
	}
	if form == sseForm {
		text.WriteByte('\n')
	}
	return text.Bytes()
}
