// Package envelope has what all answers of the HTTP APIs share: the envelope of
// the contract with its messages and codes, errors of requests, how they are
// written, and the record of a request that goes to the log.
package envelope

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
)

// Envelope is the form of every JSON answer. Errors and Messages must not be
// nil; New sets them.
type Envelope[T any] struct {
	Result   T         `json:"result"`
	Success  bool      `json:"success"`
	Errors   []Message `json:"errors"`
	Messages []Message `json:"messages"`
}

// New returns the envelope of a request that succeeded.
func New[T any](result T) Envelope[T] {
	return Envelope[T]{Result: result, Success: true, Errors: []Message{}, Messages: []Message{}}
}

// Message is one entry of errors or messages.
type Message struct {
	Code    int     `json:"code"`
	Message string  `json:"message"`
	Source  *Source `json:"source,omitempty"`
}

// Source names the field of the request that a Message is about.
type Source struct {
	Pointer string `json:"pointer"` // JSON pointer, RFC 6901
}

// Write answers with status and the envelope of result. Nothing has been
// written when it panics, as it does for a type that has no JSON form.
func Write[T any](w http.ResponseWriter, status int, result T) {
	writeBody(w, status, append(Render(New(result)), '\n'))
}

// Render returns v as JSON on one line, without escapes for HTML and without a
// line end. It panics for a type that has no JSON form.
func Render(v any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // a bug
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// List is a result that is written entry by entry: a JSON array, or an object
// whose last field is one.
type List struct {
	// Head is a struct with the other fields of the object, at least one. Nil:
	// the result is the array itself.
	Head  any
	Field string // name of the array in the object
	// Entries yields the entries, each as JSON. An entry is written before the
	// next one is asked for.
	Entries iter.Seq[[]byte]
}

// WriteList answers with status and the envelope of list. Messages is called
// when every entry has been written. The answer begins with the first entry:
// when Entries panics before it, nothing has been written.
func WriteList(w http.ResponseWriter, status int, list List, messages func() []Message) {
	opening, closing := []byte(`{"result":[`), `]`
	if list.Head != nil {
		head := bytes.TrimSuffix(Render(list.Head), []byte("}"))
		opening, closing = append([]byte(`{"result":`), head...), `]}`
		opening = append(opening, `,"`+list.Field+`":[`...)
	}
	for entry := range list.Entries {
		if opening != nil {
			writeBody(w, status, opening)
			opening = nil
		} else {
			_, _ = w.Write([]byte(","))
		}
		_, _ = w.Write(entry)
	}
	if opening != nil {
		writeBody(w, status, opening)
	}
	end := []byte(closing + `,"success":true,"errors":[],"messages":`)
	if all := messages(); len(all) > 0 {
		end = append(end, Render(all)...)
	} else {
		end = append(end, "[]"...)
	}
	_, _ = w.Write(append(end, "}\n"...))
}

// writeBody begins the answer. An error of writing means that the client has
// gone, which the server notices by itself.
func writeBody(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
