package envelope

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"probe-agent/internal/panics"
)

// maxProblems bounds the errors reported for one request, so that the answer to
// a hostile body cannot be larger than the body.
const maxProblems = 32

// retryAfter is when a client should repeat a request that was refused with
// 503, in seconds: most requests that were in its way are done by then.
const retryAfter = "5"

// Error is why a whole request was refused. Nothing was traced.
type Error struct {
	Status int       // HTTP status, 4xx or 5xx
	Errors []Message // one per wrong field, 1 to 32
	Notes  []Message // go to the messages of the envelope
	// RetryAfter is when to ask again, for status 429: sent in whole seconds
	// from 1 to 59.
	RetryAfter time.Duration
}

// NewError returns an Error that is about no single field.
func NewError(status, code int, text string) *Error {
	return &Error{Status: status, Errors: []Message{{Code: code, Message: text}}}
}

// Unavailable returns the Error of an agent that cannot serve the request for
// now.
func Unavailable(text string) *Error {
	return NewError(http.StatusServiceUnavailable, CodeUnavailable, text)
}

// Error has every error with its field, on one line.
func (e *Error) Error() string {
	texts := make([]string, len(e.Errors))
	for i, m := range e.Errors {
		texts[i] = m.Message
		if m.Source != nil {
			texts[i] = m.Source.Pointer + ": " + m.Message
		}
	}
	return "api: " + strings.Join(texts, "; ")
}

// Write answers with the error.
func (e *Error) Write(w http.ResponseWriter) {
	switch e.Status {
	case http.StatusUnsupportedMediaType:
		w.Header().Set("Accept-Encoding", "gzip") // RFC 9110 section 12.5.3
	case http.StatusTooManyRequests:
		w.Header().Set("Retry-After", wholeSeconds(e.RetryAfter))
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", retryAfter)
		w.Header().Set("x-should-retry", "false")
	case http.StatusInternalServerError:
		// The same request would fail again, ten times with some SDKs.
		w.Header().Set("x-should-retry", "false")
	}
	writeBody(w, e.Status, append(Render(e.Envelope()), '\n'))
}

// Envelope returns the envelope of the error, whose result is null.
func (e *Error) Envelope() Envelope[*struct{}] {
	return Envelope[*struct{}]{Errors: e.Errors, Messages: append([]Message{}, e.Notes...)}
}

// FaultMessage is the message of a panic for clients, with CodeInternal.
const FaultMessage = "a fault of the agent; its log has it under the id in cf-ray"

// WriteError answers with the *Error that err is, and with status 500 for a
// *panics.Error, which the record keeps for the log. Any other error means that
// the request was abandoned: the record says so, and nothing is written.
func WriteError(w http.ResponseWriter, r *http.Request, err error) {
	record := RecordOf(r.Context())
	refused, ok := errors.AsType[*Error](err)
	if !ok {
		fault, ok := errors.AsType[*panics.Error](err)
		if !ok {
			record.Abandoned = true
			return
		}
		record.Fault = fault
		refused = NewError(http.StatusInternalServerError, CodeInternal, FaultMessage)
	}
	record.Code = refused.Errors[0].Code
	refused.Write(w)
}

// wholeSeconds renders a time to wait as Retry-After has it: rounded up, and
// from 1 to 59, which every SDK is ready to wait for.
func wholeSeconds(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	return strconv.FormatInt(min(max(seconds, 1), 59), 10)
}

// Problems collects what is wrong with the fields of a request: the first
// problem of each field, at most 32 in all.
type Problems []Message

// Add adds a problem of the field that pointer names, a JSON pointer (RFC
// 6901); an empty one is the whole body.
func (p *Problems) Add(code int, pointer, format string, args ...any) {
	if len(*p) == maxProblems {
		return
	}
	m := Message{Code: code, Message: fmt.Sprintf(format, args...)}
	if pointer != "" {
		m.Source = &Source{Pointer: pointer}
	}
	for _, had := range *p {
		if had.Source != nil && m.Source != nil && *had.Source == *m.Source {
			return
		}
	}
	*p = append(*p, m)
}

// Err returns the problems as an *Error with status 400, nil when there are
// none.
func (p Problems) Err() error {
	if len(p) == 0 {
		return nil
	}
	return &Error{Status: http.StatusBadRequest, Errors: p}
}
