package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
	v1 "probe-agent/api/v1"
	"probe-agent/traceroute"
)

// tracesResult is the result of the native API.
type tracesResult struct {
	TraceID    string       `json:"trace_id"`
	RequestID  string       `json:"request_id"`
	State      string       `json:"state"`
	DurationNS *int64       `json:"duration_ns"`
	Traces     []v1.Outcome `json:"traces"`
}

func decodeTraces(t testing.TB, body []byte) tracesResult {
	t.Helper()
	var a envelope.Envelope[tracesResult]
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a.Result
}

// Traces come in the order requested, targets first, with all that is known;
// what failed says why.
func TestTraces(t *testing.T) {
	known := netip.MustParseAddr("192.0.2.1")
	s := newNamedService(t, fakeAnnotator{known: {Name: "a.example", ASN: 64500}}, &fakeColo{name: "ams01"},
		&fakeColo{name: "den01", trace: failing(&traceroute.Failure{Code: traceroute.Forbidden, Reason: "private address"})})
	h := New(Config{Service: s, Log: quiet(), Kept: keptLimits()})
	l := loadLaw(t)
	got := l.ask(t, h, http.MethodPost, nativePath, `{"targets":["192.0.2.1","192.0.2.2"],"colos":["den","ams"]}`)
	if got.status != http.StatusOK || got.header.Get("Vary") != "Accept" {
		t.Fatalf("%d %v: %s", got.status, got.header, got.body)
	}
	result := decodeTraces(t, got.body)
	if result.RequestID != got.header.Get("cf-ray") || nativePath+"/"+result.TraceID != got.header.Get("Location") || result.State != "done" {
		t.Errorf("%+v of %v", result, got.header)
	}
	var lines []string
	for _, o := range result.Traces {
		line := o.Target + " " + o.Colo.Name
		switch {
		case o.Failure != nil && o.Trace == nil:
			line += " " + o.Failure.Reason + ": " + o.Failure.Message
		case o.Failure == nil && o.Trace != nil:
			n := o.Trace.Hops[0].Nodes[0]
			line += " " + o.Trace.Stop + " " + n.Name + " " + n.ASN
		}
		lines = append(lines, line)
	}
	want := []string{
		"192.0.2.1 den01 forbidden: private address",
		"192.0.2.1 ams01 reached a.example AS64500",
		"192.0.2.2 den01 forbidden: private address",
		"192.0.2.2 ams01 reached 192.0.2.2 ",
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := l.ask(t, h, http.MethodGet, got.header.Get("Location"), ""); again.status != http.StatusOK || !bytes.Equal(again.body, got.body) {
		t.Errorf("read again: %d %s", again.status, again.body)
	}
}

func TestNativeRefusals(t *testing.T) {
	long := strings.Repeat("x", 65)
	tests := map[string]struct {
		body string
		want []fault
	}{
		"empty":          {``, []fault{{Code: 1001}}},
		"null":           {`null`, []fault{{Code: 1001}}},
		"list":           {`[]`, []fault{{Code: 1001}}},
		"nothing":        {`{}`, []fault{{1002, "/targets"}}},
		"only unknown":   {`{"x":1}`, []fault{{1007, "/x"}, {1002, "/targets"}}},
		"case matters":   {`{"Targets":["192.0.2.1"]}`, []fault{{1007, "/Targets"}, {1002, "/targets"}}},
		"flat options":   {`{"targets":["192.0.2.1"],"max_ttl":3}`, []fault{{1007, "/max_ttl"}}},
		"unknown option": {`{"targets":["192.0.2.1"],"options":{"ttl":3,"wait":1}}`, []fault{{1007, "/options/ttl"}, {1007, "/options/wait"}}},
		"escaped":        {`{"targets":["192.0.2.1"],"a/b~c":1,"":2}`, []fault{{1007, "/"}, {1007, "/a~1b~0c"}}},
		"long name":      {`{"targets":["192.0.2.1"],"` + long + `":1,"options":{"` + long + `":1}}`, []fault{{1007, ""}, {1007, "/options"}}},
		"options":        {`{"targets":["192.0.2.1"],"options":[]}`, []fault{{1001, "/options"}}},
		"types":          {`{"targets":["192.0.2.1"],"options":{"wait_ms":"1","family":4}}`, []fault{{1001, "/options/wait_ms"}, {1001, "/options/family"}}},
		"ranges":         {`{"targets":["192.0.2.1"],"options":{"wait_ms":5001,"family":"IPv4"}}`, []fault{{1003, "/options/wait_ms"}, {1003, "/options/family"}}},
		"negative":       {`{"targets":["192.0.2.1"],"options":{"wait_ms":-1}}`, []fault{{1003, "/options/wait_ms"}}},
		"both waits":     {`{"targets":["192.0.2.1"],"options":{"wait_ms":1,"wait_time":1}}`, []fault{{1003, "/options/wait_ms"}}},
		"as elsewhere":   {`{"targets":["a b"],"colos":["ams"],"options":{"max_ttl":65,"packet_type":"sctp"}}`, []fault{{1002, "/targets/0"}, {1005, "/colos/0"}, {1003, "/options/max_ttl"}, {1004, "/options/packet_type"}}},
		"in order":       {`{"targets":["a b",1],"colos":["ams"],"options":{"max_ttl":65,"port":"x"}}`, []fault{{1001, "/targets/1"}, {1001, "/options/port"}, {1002, "/targets/0"}, {1005, "/colos/0"}, {1003, "/options/max_ttl"}}},
	}
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01", trace: failing(errors.New("traced"))})
	for name, tt := range tests {
		for _, accept := range []string{"", asSSE} {
			got := l.askFor(t, h, http.MethodPost, nativePath, tt.body, accept)
			var refused envelope.Envelope[any]
			if err := json.Unmarshal(got.body, &refused); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, faultsOf(refused.Errors)); got.status != http.StatusBadRequest || diff != "" {
				t.Errorf("%s: %d (-want +got):\n%s%s", name, got.status, diff, got.body)
			}
		}
	}
	for accept, want := range map[string]string{"text/html": `"code":1008`} {
		if got := l.askFor(t, h, http.MethodPost, nativePath, goodBody, accept); got.status != http.StatusNotAcceptable || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s", accept, got.status, got.body)
		}
	}
}

// The errors of a hostile body, however large, fit a small answer.
func TestNativeRefusalIsSmall(t *testing.T) {
	var body strings.Builder
	body.WriteString(`{"targets":["192.0.2.1"]`)
	for i := range 700 {
		body.WriteString(`,"` + strings.Repeat("~", 58) + string(rune('a'+i%26)) + strings.Repeat("\u0001", i%5) + `":0`)
	}
	body.WriteString("}")
	got := loadLaw(t).ask(t, newHandler(t, &fakeColo{name: "den01"}), http.MethodPost, nativePath, strings.ReplaceAll(body.String(), "\u0001", `\u0001`))
	if got.status != http.StatusBadRequest || len(got.body) > 32<<10 {
		t.Errorf("%d with %d bytes", got.status, len(got.body))
	}
}

// Limits and credentials that stand in front of one endpoint stand in front of
// the other, whatever the form.
func TestNativeIsProtected(t *testing.T) {
	k := newKeyring(t)
	h := New(Config{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry})
	types := append(streamTypes(), "application/json")
	for _, accept := range types {
		for header, want := range map[string]int{"": 403, "Bearer {old}": 403, "Basic x": 400, "Bearer {ops}": 200} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, nativePath, strings.NewReader(goodBody))
			r.Header.Set("Accept", accept)
			if header != "" {
				r.Header.Set("Authorization", k.shown(header))
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if got := w.Header().Get("Content-Type"); w.Code != want || (got == accept) != (want == 200 || accept == "application/json") {
				t.Errorf("%s with %q: %d %s %s", accept, header, w.Code, got, w.Body)
			}
		}
	}
	open := newHandler(t, &fakeColo{name: "den01"})
	<-open.Drain()
	for _, accept := range types {
		got := loadLaw(t).askFor(t, open, http.MethodPost, nativePath, goodBody, accept)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Content-Type") != "application/json" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", accept, got.status, got.header)
		}
	}
}

func TestContractIsServed(t *testing.T) {
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01"})
	got := l.ask(t, h, http.MethodGet, contractPath, "")
	tag := got.header.Get("ETag")
	if got.status != http.StatusOK || string(got.body) != Contract() || got.header.Get("Content-Type") != "application/yaml" || tag == "" {
		t.Fatalf("%d %v", got.status, got.header)
	}
	for condition, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			req := httptest.NewRequestWithContext(t.Context(), method, contractPath, http.NoBody)
			req.Header.Set("If-None-Match", condition)
			req.Header.Set("Range", "bytes=999999-")
			req.Header.Set("If-Match", `"other"`)
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != want || rec.Header().Get("ETag") != tag || (rec.Body.Len() > 0) != (want == 200 && method == http.MethodGet) {
				t.Errorf("%s If-None-Match %s: %d with %d bytes", method, condition, rec.Code, rec.Body.Len())
			}
		}
	}
	if got := l.ask(t, h, http.MethodPost, contractPath, ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", got.status, got.header)
	}
}
