package api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
)

// maxBody is the most that a request body may hold, in bytes. A legal one has a
// few kilobytes.
const maxBody = 1 << 20

// readBody returns the whole body. A client that says beforehand that it has
// too much is not waited for.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	tooLarge := refusal(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the body must not be over %d bytes", maxBody))
	if r.ContentLength > maxBody {
		return nil, tooLarge
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			return nil, tooLarge
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil, refusal(http.StatusBadRequest, codeBody, fmt.Sprintf("the request did not arrive within %s", ReadTimeout))
		}
		return nil, refusal(http.StatusBadRequest, codeBody, "the body ended early or is malformed")
	}
	return body, nil
}
