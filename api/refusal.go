package api

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Codes of the error envelope. Those that Cloudflare's API has were kept.
const (
	codeBody            = 1001  // not JSON, or of the wrong type
	codeTargets         = 1002  // targets missing, too many, or not traceable
	codeOption          = 1003  // an option out of range
	codePacketType      = 1004  // unknown packet type
	codeColo            = 1005  // unknown colo
	codeTooLarge        = 1006  // body over maxBody
	codeField           = 1007  // a field that there is not (native API)
	codeForm            = 1008  // no answer in a form that the client accepts (native API)
	codeEncoding        = 1009  // an unknown content encoding
	codeTooMany         = 971   // too many requests
	codeUnavailable     = 1050  // overloaded, shutting down, not ready
	codeInternal        = 1051  // a fault of the agent
	codeHeaders         = 6003  // malformed credentials
	codeMethod          = 7001  // method not allowed
	codeRoute           = 7003  // no such route, or a malformed account id
	codeUnauthorized    = 9109  // may not, or not for this account
	codeUnauthenticated = 10000 // nobody known
	codeFailureBase     = 1000  // plus a FailureCode: in messages of an answer
	maxFaults           = 32    // errors told about one request
)

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

// RequestError says why a whole request was refused. Nothing was traced.
type RequestError struct {
	Status int       // HTTP status, 4xx or 5xx
	Faults []Message // one per wrong field, 1 to 32 of them
	Notes  []Message // what else the client may want to know
	// RetryAfter is when to ask again, for status 429: sent in whole seconds
	// from 1 to 59.
	RetryAfter time.Duration
}

// Error names every fault with its field, on one line.
func (e *RequestError) Error() string {
	words := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		words[i] = f.Message
		if f.Source != nil {
			words[i] = f.Source.Pointer + ": " + f.Message
		}
	}
	return "api: " + strings.Join(words, "; ")
}

// Response returns the envelope of the refusal.
func (e *RequestError) Response() *Response {
	return &Response{Errors: e.Faults, Messages: append([]Message{}, e.Notes...)}
}

// write answers with the refusal.
func (e *RequestError) write(w http.ResponseWriter) {
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
	writeJSON(w, e.Status, e.Response())
}

// wholeSeconds renders a time to wait as Retry-After has it: rounded up, and
// from 1 to 59, which every SDK is ready to wait for.
func wholeSeconds(d time.Duration) string {
	seconds := int64((d + time.Second - 1) / time.Second)
	return strconv.FormatInt(min(max(seconds, 1), 59), 10)
}

// refusal is a RequestError about no single field.
func refusal(status, code int, words string) *RequestError {
	return &RequestError{Status: status, Faults: []Message{{Code: code, Message: words}}}
}

// faults collects what is wrong with a request: the first fault of each field,
// and no more than maxFaults, so that a hostile body cannot make an answer
// larger than itself.
type faults []Message

func (f *faults) add(code int, pointer, format string, args ...any) {
	if len(*f) == maxFaults {
		return
	}
	m := Message{Code: code, Message: fmt.Sprintf(format, args...)}
	if pointer != "" {
		m.Source = &Source{Pointer: pointer}
	}
	for _, had := range *f {
		if had.Source != nil && m.Source != nil && *had.Source == *m.Source {
			return
		}
	}
	*f = append(*f, m)
}

// err returns the faults as a RequestError, nil when there are none.
func (f faults) err() error {
	if len(f) == 0 {
		return nil
	}
	return &RequestError{Status: http.StatusBadRequest, Faults: f}
}
