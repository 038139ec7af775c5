package api

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

// maxBody is the most that a request body may hold, in bytes, as sent and as
// decoded. A legal one has a few kilobytes. What many slow bodies hold together
// is bounded by the queue: a request has its place in it before its body is read.
const maxBody = 64 << 10

// readBody returns the whole body, without its content encoding. A client that
// says beforehand that it has too much is not waited for.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	packed, err := isGzip(r.Header["Content-Encoding"])
	if err != nil {
		return nil, err
	}
	if r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, refusal(http.StatusBadRequest, codeBody, fmt.Sprintf("the request did not arrive within %s", ReadTimeout))
		}
		return nil, refusal(http.StatusBadRequest, codeBody, "the body ended early or is malformed")
	}
	if packed {
		// Only now that it is all here: a decoder holds half a body's worth.
		return gunzip(body)
	}
	return body, nil
}

func tooLarge() *RequestError {
	return refusal(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the body must not be over %d bytes", maxBody))
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
	return false, refusal(http.StatusUnsupportedMediaType, codeEncoding, "Content-Encoding must be gzip, once, or absent")
}

// gunzip returns what packed holds, at most maxBody bytes.
func gunzip(packed []byte) ([]byte, error) {
	malformed := refusal(http.StatusBadRequest, codeBody, "the body is not in gzip, as Content-Encoding says it is")
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, malformed
	}
	body, err := io.ReadAll(io.LimitReader(reader, maxBody+1))
	switch {
	case len(body) > maxBody:
		return nil, tooLarge()
	case err != nil:
		return nil, malformed
	}
	return body, nil
}
