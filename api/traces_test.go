package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/api/body"
	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// decodeTraces reads the answer of nativePath.
func decodeTraces(t testing.TB, body []byte) tracesResult {
	t.Helper()
	var a envelope.Envelope[tracesResult]
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return a.Result
}

// Traces come as asked, targets first, with all that is known; what failed
// says why.
func TestTraces(t *testing.T) {
	colos := []Colo{
		&fakeColo{name: "ams01"},
		&fakeColo{name: "den01", trace: failing(&Failure{Code: Forbidden, Reason: "private address"})},
	}
	known := netip.MustParseAddr("192.0.2.1")
	service, err := New(Config{Colos: colos, Annotator: fakeAnnotator{known: {Name: "a.example", ASN: 64500}}})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHandler(HandlerConfig{Service: service, Log: quiet()})
	got := loadLaw(t).ask(t, h, http.MethodPost, nativePath, `{"targets":["192.0.2.1","192.0.2.2"],"colos":["den","ams"]}`)
	if got.status != http.StatusOK || got.header.Get("Vary") != "Accept" {
		t.Fatalf("%d %v: %s", got.status, got.header, got.body)
	}
	result := decodeTraces(t, got.body)
	if result.RequestID != got.header.Get("cf-ray") {
		t.Errorf("request %q, cf-ray %q", result.RequestID, got.header.Get("cf-ray"))
	}
	var told []string
	for _, o := range result.Traces {
		line := o.Target + " " + o.Colo.Name
		switch {
		case o.Failure != nil && o.Trace == nil:
			line += " " + o.Failure.Reason + ": " + o.Failure.Message
		case o.Failure == nil && o.Trace != nil:
			n := o.Trace.Hops[0].Nodes[0]
			line += " " + o.Trace.Stop + " " + n.Name + " " + n.ASN
		default:
			t.Errorf("%s %s has trace and failure, or neither", o.Target, o.Colo.Name)
		}
		told = append(told, line)
	}
	want := []string{
		"192.0.2.1 den01 forbidden: private address",
		"192.0.2.1 ams01 reached a.example AS64500",
		"192.0.2.2 den01 forbidden: private address",
		"192.0.2.2 ams01 reached 192.0.2.2 ",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What the engine can do more than the contract reaches it.
func TestNativeOptions(t *testing.T) {
	var got traceroute.Spec
	spy := &fakeColo{name: "den01", trace: func(_ context.Context, target string, spec Spec) (*traceroute.Result, error) {
		got = spec.Spec
		return direct(target), nil
	}}
	h := newHandler(t, spy)
	tests := map[string]traceroute.Spec{
		``:                                   {Method: traceroute.ICMP},
		`"wait_ms":250,"family":"ipv4"`:      {Method: traceroute.ICMP, Wait: 250 * time.Millisecond, Family: IPv4Only},
		`"wait_ms":0,"wait_time":2`:          {Method: traceroute.ICMP, Wait: 2 * time.Second},
		`"wait_ms":5e3,"family":"ipv6"`:      {Method: traceroute.ICMP, Wait: 5 * time.Second, Family: IPv6Only},
		`"family":"any","wait_ms":null`:      {Method: traceroute.ICMP},
		`"family":"","packet_type":"gre"`:    {Method: traceroute.GRE},
		`"family":null,"packets_per_ttl":10`: {Method: traceroute.ICMP, PacketsPerTTL: 10},
	}
	for options, want := range tests {
		a := loadLaw(t).ask(t, h, http.MethodPost, nativePath, `{"targets":["192.0.2.1"],"options":{`+options+`}}`)
		if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{})); a.status != http.StatusOK || diff != "" {
			t.Errorf("{%s}: %d (-want +got):\n%s", options, a.status, diff)
		}
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
	}
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01", trace: failing(errors.New("traced"))})
	for name, tt := range tests {
		for _, accept := range []string{"", "text/event-stream"} {
			got := l.askFor(t, h, http.MethodPost, nativePath, tt.body, accept)
			var refused Response
			if err := json.Unmarshal(got.body, &refused); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, faultsOf(refused.Errors)); got.status != http.StatusBadRequest || diff != "" {
				t.Errorf("%s: %d (-want +got):\n%s%s", name, got.status, diff, got.body)
			}
		}
	}
	if got := l.ask(t, h, http.MethodPost, nativePath, `{"targets":["`+strings.Repeat("x", body.MaxSize)+`"]}`); got.status != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body got %d", got.status)
	}
	if got := l.ask(t, h, http.MethodGet, nativePath, ""); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
		t.Errorf("GET got %d, Allow %q", got.status, got.header.Get("Allow"))
	}
}

// The faults of a hostile body, however large, fit a small answer.
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

// Limits that stand in front of one endpoint stand in front of the other.
func TestNativeIsGated(t *testing.T) {
	h := newHandler(t, &fakeColo{name: "den01"})
	<-h.Drain()
	for _, accept := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
		got := loadLaw(t).askFor(t, h, http.MethodPost, nativePath, goodBody, accept)
		if got.status != http.StatusServiceUnavailable || got.header.Get("Content-Type") != "application/json" || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", accept, got.status, got.header)
		}
	}
}

// Credentials are asked for as elsewhere, whatever the form, and before the
// body is read; the contract is anybody's.
func TestNativeAsksForCredentials(t *testing.T) {
	k := newKeyring(t)
	h := NewHandler(HandlerConfig{Service: newService(t, &fakeColo{name: "den01"}), Log: quiet(), Credentials: k.registry})
	for _, accept := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
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
	if got := loadLaw(t).ask(t, h, http.MethodGet, contractPath, ""); got.status != http.StatusOK {
		t.Errorf("the contract: %d", got.status)
	}
}

// A target that may not be traced is data, in each form.
func TestNativeForbiddenTarget(t *testing.T) {
	h := newHandler(t, &Local{ColoName: "den01", CityName: "Denver", Tracer: fakeTracer(echoSpec)})
	for _, accept := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
		got := loadLaw(t).askFor(t, h, http.MethodPost, nativePath, `{"targets":["0.0.0.0"]}`, accept)
		if got.status != http.StatusOK || !strings.Contains(string(got.body), `"failure":{"code":3,"reason":"forbidden"`) {
			t.Errorf("%s: %d %s", accept, got.status, got.body)
		}
	}
}

func TestChooseForm(t *testing.T) {
	const refused = "-"
	tests := map[string]string{
		"":                     "application/json",
		"*/*":                  "application/json",
		"application/json":     "application/json",
		"application/*":        "application/json",
		"text/*":               "text/event-stream",
		"TEXT/Event-Stream":    "text/event-stream",
		"application/x-ndjson": "application/x-ndjson",
		"application/x-ndjson; charset=utf-8; q=0.4": "application/x-ndjson",
		"text/event-stream, */*":                     "text/event-stream",
		"*/*, text/event-stream":                     "text/event-stream",
		"text/event-stream, application/json":        "application/json",
		"text/event-stream, application/json;q=0.9":  "text/event-stream",
		"application/json;q=0, */*":                  "application/x-ndjson",
		"application/json;q=0, application/*;q=0.5":  "application/x-ndjson",
		"text/html, */*;q=0.1":                       "application/json",
		"text/html":                                  refused,
		"application/ndjson":                         refused,
		"*/*;q=0":                                    refused,
		"application/json;q=2, text/event-stream":    "text/event-stream",
		"application/json;q=NaN":                     refused,
		";;;, text/event-stream":                     "text/event-stream",
		",":                                          refused,
	}
	for header, want := range tests {
		form, err := chooseForm([]string{header})
		got := refused
		if err == nil {
			got = form.mediaType()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
	if form, err := chooseForm([]string{"text/html", "text/event-stream;q=0.1"}); err != nil || form != sseForm {
		t.Errorf("two headers: %v, %v", form, err)
	}
	got := loadLaw(t).askFor(t, newHandler(t, &fakeColo{name: "den01"}), http.MethodPost, nativePath, goodBody, "text/html")
	if got.status != http.StatusNotAcceptable || !strings.Contains(string(got.body), `"code":1008`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// What redaction hides is hidden in this form as well.
func TestNativeRedaction(t *testing.T) {
	local := &Local{ColoName: "den01", CityName: "Denver", Tracer: fakeTracer(pathTracer)}
	local.RedactHops(2)
	h := newHandler(t, local)
	for _, accept := range []string{"application/json", "application/x-ndjson", "text/event-stream"} {
		got := loadLaw(t).askFor(t, h, http.MethodPost, nativePath, `{"targets":["192.0.2.100"],"options":{"max_ttl":15,"packets_per_ttl":2}}`, accept)
		if got.status != http.StatusOK || strings.Contains(string(got.body), "10.0.0.") {
			t.Errorf("%s: %d tells what is inside: %s", accept, got.status, got.body)
		}
		for _, want := range []string{`"192.0.2.3"`, `"192.0.2.100"`, `"REDACTED"`, `"source":""`, `"from":""`} {
			if !strings.Contains(string(got.body), want) {
				t.Errorf("%s does not have %s: %s", accept, want, got.body)
			}
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
