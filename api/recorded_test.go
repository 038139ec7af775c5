package api_test

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/access"
	"probe-agent/quota"
)

// recordNew writes the answers of cases that have none. What is recorded is
// never written again: it is what clients rely on.
var recordNew = flag.Bool("record-new", false, "record the answers of new cases in testdata/recorded")

// recordedCase is one request, and the state of the agent that it comes to.
type recordedCase struct {
	name    string // and the file of its answer
	method  string // POST unless given
	path    string // Cloudflare's endpoint unless given
	headers []string
	body    string
	gzip    bool

	keys    bool                // credentials are needed
	limit   func(*quota.Limits) // changes the default limits
	again   int                 // how often the same request comes before
	beside  string              // body of a request that is under way meanwhile
	unready bool
	drain   bool          // before the request
	cut     time.Duration // after its beginning; 0: never
}

const (
	cloudflarePath = "/client/v4/accounts/acme/diagnostics/traceroute"
	nativePath     = "/v1/traces"

	asNDJSON = "Accept: application/x-ndjson"
	asSSE    = "Accept: text/event-stream"
)

// additions match what answers of today have and recorded ones have not. Each is
// documented in CHANGELOG.md, and is removed before answers are compared.
func additions() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(`(?m)^Location: /v1/traces/[2-7A-Z]{26}\n`),
		regexp.MustCompile(`"trace_id":"[2-7A-Z]{26}",`),
		regexp.MustCompile(`"state":"done",`),
		regexp.MustCompile(`"version":1,`),
	}
}

// renumbered counts the ids of events from 1, as those recorded do: ids rise, and
// may have gaps.
func renumbered(answer []byte) []byte {
	count, last := 0, ""
	return regexp.MustCompile(`(?:\nid: |"id":)[0-9]+`).ReplaceAllFunc(answer, func(id []byte) []byte {
		if string(id) != last { // a heartbeat has the id of the event before
			count, last = count+1, string(id)
		}
		return fmt.Appendf(nil, "%s%d", bytes.TrimRight(id, "0123456789"), count)
	})
}

// Answers are the same bytes as those that were recorded, but for ids and
// documented additions.
func TestRecorded(t *testing.T) {
	cases := recordedCases()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := c.answer(t)
				got = renumbered(got)
				for _, addition := range additions() {
					got = addition.ReplaceAll(got, nil)
				}
				file := filepath.Join("testdata", "recorded", c.name)
				want, err := os.ReadFile(file)
				if os.IsNotExist(err) && *recordNew {
					err = os.WriteFile(file, got, 0o644)
					want = got
				}
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
					t.Errorf("(-recorded +now):\n%s", diff)
				}
			})
		})
	}
	files, err := os.ReadDir(filepath.Join("testdata", "recorded"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !slices.ContainsFunc(cases, func(c recordedCase) bool { return c.name == file.Name() }) {
			t.Errorf("%s is of no case", file.Name())
		}
	}
}

// answer is what the agent answers: status, headers and body.
func (c recordedCase) answer(t *testing.T) []byte {
	t.Helper()
	secrets, registry := recordedCredentials(t, c.keys)
	agent := newRecordedAgent(t, c, registry)
	if c.drain {
		agent.drain()
	}
	var beside sync.WaitGroup
	defer beside.Wait()
	if c.beside != "" {
		other := recordedCase{body: c.beside}
		beside.Go(func() { agent.handler.ServeHTTP(httptest.NewRecorder(), other.request(nil)) })
		synctest.Wait()
	}
	if c.cut != 0 {
		defer time.AfterFunc(c.cut, agent.cut).Stop()
	}
	for range c.again {
		agent.handler.ServeHTTP(httptest.NewRecorder(), c.request(secrets))
	}
	w := httptest.NewRecorder()
	agent.handler.ServeHTTP(w, c.request(secrets))
	if c.beside != "" {
		agent.cut()
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%d %s\n", w.Code, http.StatusText(w.Code))
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		for _, value := range w.Header()[name] {
			fmt.Fprintf(&text, "%s: %s\n", name, value)
		}
	}
	text.WriteString("\n")
	text.Write(w.Body.Bytes())
	return withoutIDs(text.Bytes())
}

// withoutIDs blanks what is another in every answer: ids of requests.
func withoutIDs(answer []byte) []byte {
	return regexp.MustCompile(`\b[0-9a-f]{16}-den01\b`).ReplaceAll(answer, []byte("0123456789abcdef-den01"))
}

func (c recordedCase) request(secrets *strings.Replacer) *http.Request {
	method, path, body := http.MethodPost, cloudflarePath, []byte(c.body)
	if c.method != "" {
		method = c.method
	}
	if c.path != "" {
		path = c.path
	}
	r := httptest.NewRequest(method, path, nil)
	r.Host = "127.0.0.1:8080"
	for _, header := range c.headers {
		name, value, _ := strings.Cut(header, ": ")
		if secrets != nil {
			value = secrets.Replace(value)
		}
		if name == "Host" {
			r.Host = value
			continue
		}
		r.Header.Add(name, value)
	}
	if c.gzip {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		_, _ = w.Write(body)
		_ = w.Close()
		body = packed.Bytes()
		r.Header.Set("Content-Encoding", "gzip")
	}
	return withBody(r, body)
}

func withBody(r *http.Request, body []byte) *http.Request {
	made := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	made.Host, made.Header = r.Host, r.Header
	return made
}

// recordedCredentials has the tokens ops (account acme) and old, which has
// expired, and a key. Their names in braces stand for them in headers.
func recordedCredentials(t *testing.T, needed bool) (*strings.Replacer, *access.Registry) {
	t.Helper()
	registry := new(access.Registry)
	if !needed {
		return nil, registry
	}
	ops, old, key := access.NewToken(), access.NewToken(), access.NewKey()
	err := registry.Replace([]access.Credential{
		{Name: "ops", Accounts: []string{"acme"}, Hash: access.HashOf(ops)},
		{Name: "old", Accounts: []string{"acme"}, Hash: access.HashOf(old), Expires: time.Now()},
		{Name: "key", Accounts: []string{"acme"}, Hash: access.HashOf(key), Email: "ops@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("{ops}", ops, "{old}", old, "{key}", key), registry
}
