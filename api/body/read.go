// Package body reads the bodies of requests: within their bounds, and field by
// field.
package body

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"probe-agent/api/envelope"
)

// Timeout is how long the header and the body of a request may take to arrive:
// ample for the few kilobytes of any real client. The server enforces it.
const Timeout = 5 * time.Second

// MaxSize is the most that a request body may hold, in bytes, as sent and as
// decoded. A legal one has a few kilobytes. What many slow bodies hold together
// is bounded by the queue: a request has its place in it before its body is read.
const MaxSize = 64 << 10

// Read returns the whole body, without its content encoding. The error is an
// *envelope.Error. A client that announces a body that is too large is not waited
// for.
func Read(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	packed, err := isGzip(r.Header["Content-Encoding"])
	if err != nil {
		return nil, err
	}
	if r.ContentLength > MaxSize {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxSize))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, envelope.NewError(http.StatusBadRequest, envelope.CodeBody, fmt.Sprintf("the request did not arrive within %s", Timeout))
		}
		return nil, envelope.NewError(http.StatusBadRequest, envelope.CodeBody, "the body ended early or is malformed")
	}
	if packed {
		// Only now that it is all here: a decoder holds half a body's worth.
		return gunzip(body)
	}
	return body, nil
}

func tooLarge() *envelope.Error {
	return envelope.NewError(http.StatusRequestEntityTooLarge, envelope.CodeTooLarge, fmt.Sprintf("the body must not be over %d bytes", MaxSize))
}

// isGzip reads Content-Encoding (RFC 9110 section 8.4). The error is about any
// encoding but gzip.
func isGzip(headers []string) (bool, error) {
	var encodings []string
	for encoding := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		switch encoding = strings.ToLower(strings.TrimSpace(encoding)); encoding {
		case "", "identity":
		case "x-gzip": // another name of it, section 8.4.1.3
			encodings = append(encodings, "gzip")
		default:
			encodings = append(encodings, encoding)
		}
	}
	switch {
	case len(encodings) == 0:
		return false, nil
	case len(encodings) == 1 && encodings[0] == "gzip":
		return true, nil
	}
	return false, envelope.NewError(http.StatusUnsupportedMediaType, envelope.CodeEncoding, "Content-Encoding must be gzip, once, or absent")
}

// gunzip returns what packed holds, at most MaxSize bytes.
func gunzip(packed []byte) ([]byte, error) {
	malformed := envelope.NewError(http.StatusBadRequest, envelope.CodeBody, "the body is not in gzip, as Content-Encoding says it is")
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, malformed
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxSize+1))
	switch {
	case len(body) > MaxSize:
		return nil, tooLarge()
	case err != nil:
		return nil, malformed
	}
	return body, nil
}
