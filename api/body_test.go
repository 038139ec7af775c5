package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"probe-agent/quota"
)

func zipped(t *testing.T, text string) string {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.String()
}

// Bodies as clients write them: their size, their encoding, what is in front.
func TestBodies(t *testing.T) {
	padded := func(size int) string { return goodBody + strings.Repeat(" ", size-len(goodBody)) }
	const limit = 64 << 10
	good := zipped(t, goodBody)
	tests := []struct {
		name, body string
		encoding   []string
		status     int
		code       int
	}{
		{"at the limit", padded(limit), nil, 200, 0},
		{"over the limit", padded(limit + 1), nil, 413, 1006},
		{"byte order mark", "\xef\xbb\xbf" + goodBody, nil, 200, 0},
		{"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbf" + goodBody, nil, 400, 1001},
		{"byte order mark alone", "\xef\xbb\xbf", nil, 400, 1001},
		{"UTF-16", "\xff\xfe{\x00}\x00", nil, 400, 1001},

		{"identity", goodBody, []string{"identity"}, 200, 0},
		{"empty", goodBody, []string{""}, 200, 0},
		{"gzip", good, []string{"gzip"}, 200, 0},
		{"gzip in capitals, with identity", good, []string{" GZIP ", "identity"}, 200, 0},
		{"x-gzip", good, []string{"x-gzip"}, 200, 0},
		{"gzip with a byte order mark", zipped(t, "\xef\xbb\xbf"+goodBody), []string{"gzip"}, 200, 0},
		{"gzip in two members", zipped(t, goodBody[:7]) + zipped(t, goodBody[7:]), []string{"gzip"}, 200, 0},
		{"gzip at the limit", zipped(t, padded(limit)), []string{"gzip"}, 200, 0},
		{"gzip over the limit when decoded", zipped(t, padded(limit+1)), []string{"gzip"}, 413, 1006},
		{"gzip of 1 MiB", zipped(t, strings.Repeat(" ", 1<<20)), []string{"gzip"}, 413, 1006},
		{"no gzip", goodBody, []string{"gzip"}, 400, 1001},
		{"gzip cut short", good[:len(good)-4], []string{"gzip"}, 400, 1001},
		{"gzip with a wrong checksum", good[:len(good)-8] + "xxxx" + good[len(good)-4:], []string{"gzip"}, 400, 1001},
		{"gzip with more behind", good + "{}", []string{"gzip"}, 400, 1001},
		{"nothing in gzip", "", []string{"gzip"}, 400, 1001},
		{"gzip twice", zipped(t, good), []string{"gzip, gzip"}, 415, 1009},
		{"deflate", goodBody, []string{"deflate"}, 415, 1009},
		{"br", goodBody, []string{"br"}, 415, 1009},
		{"zstd behind gzip", goodBody, []string{"gzip", "zstd"}, 415, 1009},
	}
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01"})
	for _, tt := range tests {
		for _, path := range []string{endpoint, nativePath} {
			for _, chunked := range []bool{false, true} {
				name := fmt.Sprintf("%s/%s/chunked %t", tt.name, path, chunked)
				r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, strings.NewReader(tt.body))
				if tt.encoding != nil {
					r.Header["Content-Encoding"] = tt.encoding
				}
				if chunked {
					r.ContentLength = -1
				}
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				l.judge(t, r, []byte(goodBody), w.Code, w.Header(), w.Body.Bytes())
				if w.Code != tt.status || tt.code != 0 && !strings.Contains(w.Body.String(), fmt.Sprintf(`"errors":[{"code":%d,`, tt.code)) {
					t.Errorf("%s: %d %.200s, want %d, code %d", name, w.Code, w.Body, tt.status, tt.code)
				}
				if w.Code == http.StatusUnsupportedMediaType && w.Header().Get("Accept-Encoding") != "gzip" {
					t.Errorf("%s: Accept-Encoding %q", name, w.Header().Get("Accept-Encoding"))
				}
			}
		}
	}
}

// Bodies that lack their last byte hold no more than the limit each, whether or
// not their size is announced, and their number is bounded by the account's share
// of the queue: the one after that is refused before its body is read.
func TestSlowBodiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := quota.Default()
		limits.QueuePerAccount = 64
		limiter, err := quota.New(limits)
		if err != nil {
			t.Fatal(err)
		}
		h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Limiter: limiter})
		p, stop := serve(t, h)
		defer stop()
		var open []net.Conn
		defer func() { closeAll(open) }()
		heap := func() uint64 {
			var m runtime.MemStats
			synctest.Wait()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		spaces := strings.Repeat(" ", 1<<20)
		for _, request := range []string{
			head("Transfer-Encoding: chunked") + "100000\r\n" + spaces[1:],
			head("Content-Length: 65536") + spaces[:65535],
		} {
			text := []byte(request)
			before := heap()
			for range limits.QueuePerAccount {
				c := p.dial()
				open = append(open, c)
				go func() { _, _ = c.Write(text) }() // fails when the server closes
			}
			if each := (heap() - before) / uint64(limits.QueuePerAccount); each > 100<<10 {
				t.Errorf("%.70q: a slow body holds %d bytes", request, each)
			}
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, endpoint, unread{t}))
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("one more is answered with %d %s", w.Code, w.Body)
		}
	})
}
