package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// The media types of streams.
const (
	asNDJSON = "application/x-ndjson"
	asSSE    = "text/event-stream"
)

func streamTypes() []string { return []string{asNDJSON, asSSE} }

// event is one of a live stream as a client reads it.
type event struct {
	Name string          `json:"event"`
	ID   int             `json:"id"`
	Data json.RawMessage `json:"data"`
}

// eventReader reads a stream in either form, event by event, and holds each
// against the contract.
type eventReader struct {
	law   law
	lines *bufio.Reader
	form  string // media type
	last  int    // id
	beats int    // heartbeats seen
}

func newEventReader(l law, r io.Reader, form string) *eventReader {
	return &eventReader{law: l, lines: bufio.NewReader(r), form: form}
}

// next returns the next event that is no heartbeat; io.EOF only after a whole
// one.
func (r *eventReader) next(t testing.TB) (event, error) {
	t.Helper()
	for {
		e, err := r.read(t)
		if err != nil {
			return e, err
		}
		if e.Name == "heartbeat" {
			r.beats++
			continue
		}
		if e.ID <= r.last {
			t.Errorf("event %s has id %d, after %d", e.Name, e.ID, r.last)
		}
		r.last = e.ID
		var v any
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &v); err != nil {
			t.Fatal(err)
		}
		if err := r.law.doc.Components.Schemas["Event"].Value.VisitJSON(v); err != nil {
			t.Errorf("event against the contract: %v\n%s", err, text)
		}
		return e, nil
	}
}

func (r *eventReader) read(t testing.TB) (event, error) {
	if r.form == asSSE {
		return r.readSSE()
	}
	line, err := r.lines.ReadBytes('\n')
	if err != nil {
		if len(line) > 0 {
			return event{}, fmt.Errorf("half a line: %q", line)
		}
		return event{}, err
	}
	var e event
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&e); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	return e, nil
}

// readSSE is the parser of HTML section 9.2.6, as a browser's EventSource has
// it, but that it takes nothing odd: no field but event, id and data, no event
// without all three, no data of several lines.
func (r *eventReader) readSSE() (event, error) {
	var e event
	seen := map[string]bool{}
	for {
		line, err := r.lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" && len(seen) == 0 {
			return e, io.EOF
		}
		if err != nil {
			return e, fmt.Errorf("%w after %q of %v", err, line, seen)
		}
		line = strings.TrimSuffix(line, "\n")
		if !utf8.ValidString(line) || strings.ContainsAny(line, "\r\x00\ufeff") {
			return e, fmt.Errorf("line %q", line)
		}
		if line == "" {
			if len(seen) == 0 { // after a comment
				continue
			}
			if len(seen) != 3 {
				return e, fmt.Errorf("an event with %v only", seen)
			}
			return e, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if name == "" {
			if len(seen) > 0 {
				return e, fmt.Errorf("comment %q inside of an event", value)
			}
			r.beats++
			continue
		}
		if seen[name] {
			return e, fmt.Errorf("field %s twice", name)
		}
		seen[name] = true
		switch name {
		case "event":
			e.Name = value
		case "id":
			if e.ID, err = strconv.Atoi(value); err != nil {
				return e, err
			}
		case "data":
			e.Data = json.RawMessage(value)
		default:
			return e, fmt.Errorf("field %q", name)
		}
	}
}

// all reads to the end of the stream.
func (r *eventReader) all(t testing.TB) []event {
	t.Helper()
	var events []event
	for {
		e, err := r.next(t)
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
}

// names lists the events without the hops between.
func names(events []event) []string {
	var all []string
	for _, e := range events {
		if e.Name != "hop" {
			all = append(all, e.Name)
		}
	}
	return all
}

// dataOf decodes the data of an event.
func dataOf[T any](t testing.TB, e event) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(e.Data, &v); err != nil {
		t.Fatalf("%v: %s", err, e.Data)
	}
	return v
}
