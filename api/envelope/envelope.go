// Package envelope has what all answers of the HTTP APIs share: the envelope of
// the contract with its messages and codes, errors of requests, how they are
// written, and the record of a request that goes to the log.
package envelope

import (
	"bytes"
	"encoding/json"
	"iter"
	"net/http"
	"sync"
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
	r := NewRenderer()
	defer r.Release()
	return bytes.Clone(r.Render(v))
}

// Renderer renders many values one after another, in memory that is reused. Not
// safe for concurrent use.
type Renderer struct {
	text    bytes.Buffer
	encoder *json.Encoder
	list    []byte // of WriteList
}

// renderers have memory that was used before.
var renderers = sync.Pool{New: func() any {
	r := new(Renderer)
	r.encoder = json.NewEncoder(&r.text)
	r.encoder.SetEscapeHTML(false)
	return r
}}

// NewRenderer returns a Renderer, which should be released.
func NewRenderer() *Renderer { return renderers.Get().(*Renderer) }

// Render is the function Render, but the bytes are valid until the next call
// only.
func (r *Renderer) Render(v any) []byte {
	r.text.Reset()
	if err := r.encoder.Encode(v); err != nil {
		panic(err) // a bug
	}
	return bytes.TrimSuffix(r.text.Bytes(), []byte("\n"))
}

// maxReused bounds what a Renderer that is released keeps, in bytes.
const maxReused = 64 << 10

// Release ends the use of r and of the bytes that it returned.
func (r *Renderer) Release() {
	if r.text.Cap()+cap(r.list) <= maxReused {
		renderers.Put(r)
	}
}

// List is a result that is written entry by entry: a JSON array, or an object
// whose last field is one.
type List struct {
	// Head is a struct with the other fields of the object, at least one. Nil:
	// the result is the array itself.
	Head  any
	Field string // name of the array in the object
	// Entries yields the entries, each as JSON that is valid until the next one is
	// asked for.
	Entries iter.Seq[[]byte]
}

// listBuffer is how much of a list is written at once, in bytes.
const listBuffer = 16 << 10

// WriteList answers with status and the envelope of list. Messages is called
// when Entries has ended. What has been rendered is written when it is
// listBuffer bytes, and at the end: when Entries panics before that, nothing
// has been written.
func WriteList(w http.ResponseWriter, status int, list List, messages func() []Message) {
	r := NewRenderer()
	defer r.Release() // after text has been given back
	text, closing := r.list[:0], `]`
	defer func() { r.list = text }()
	text = append(text, `{"result":`...)
	if list.Head != nil {
		text = append(text, bytes.TrimSuffix(r.Render(list.Head), []byte("}"))...)
		text, closing = append(append(append(text, `,"`...), list.Field...), `":`...), `]}`
	}
	text = append(text, '[')
	begun, comma := false, false
	for entry := range list.Entries {
		if comma {
			text = append(text, ',')
		}
		comma = true
		if len(text)+len(entry) > listBuffer {
			begin(w, status, &begun)
			_, _ = w.Write(text)
			text = text[:0]
		}
		text = append(text, entry...)
	}
	text = append(append(text, closing...), `,"success":true,"errors":[],"messages":`...)
	if all := messages(); len(all) > 0 {
		text = append(text, r.Render(all)...)
	} else {
		text = append(text, "[]"...)
	}
	text = append(text, "}\n"...)
	begin(w, status, &begun)
	_, _ = w.Write(text)
}

// begin writes the header of the answer, once.
func begin(w http.ResponseWriter, status int, begun *bool) {
	if *begun {
		return
	}
	*begun = true
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
}

// writeBody answers. An error of writing means that the client has gone, which the
// server notices by itself.
func writeBody(w http.ResponseWriter, status int, body []byte) {
	begin(w, status, new(bool))
	_, _ = w.Write(body)
}
