package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// shouted is an answer, with the request as far as the contract cares.
type shouted struct {
	answer

	request *http.Request
}

// shout posts a good body with raw header lines, each with its line end, over a
// connection of its own. Clients of net/http would not send most of them.
func shout(t *testing.T, p *pipes, path, headers string) shouted {
	t.Helper()
	c := p.dial()
	defer c.Close()
	go func() { // a pipe has no buffer, and the server may answer before it has all
		_, _ = fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n%s\r\n%s", path, len(goodBody), headers, goodBody)
	}()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(goodBody))
	if err != nil {
		t.Fatal(err)
	}
	got := shouted{answer{status: resp.StatusCode, header: resp.Header, body: body}, request}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&got.Envelope); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return got
}
