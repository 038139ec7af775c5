//go:build linux

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"probe-agent/api"
	"probe-agent/api/cloudflare"
	"probe-agent/api/envelope"
)

// bases are the paths below which the endpoint is served.
func bases() []string { return []string{"/client/v4", ""} }

const endpointPath = "/accounts/0123456789abcdef0123456789abcdef/diagnostics/traceroute"

// answer is a response that was held against the contract.
type answer struct {
	status int
	header http.Header
	body   []byte
	envelope.Envelope[[]cloudflare.TargetResult]
}

// ask sends a request to the daemon, holds the exchange against openapi.yaml,
// and decodes the answer, in which nothing may be unknown.
func (d *daemon) ask(t testing.TB, method, path, body string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, d.url(path), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if len(body) > 1<<16 {
		req.Header.Set("Expect", "100-continue") // it may be refused before it is read
	}
	if d.token != "" {
		req.Header.Set("Authorization", "Bearer "+d.token)
	}
	response, err := d.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return d.law.judge(t, req, body, response, text)
}

// law is openapi.yaml, ready to judge.
type law struct {
	doc    *openapi3.T
	router routers.Router
}

func loadLaw(t testing.TB) law {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(api.Contract()))
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	return law{doc, router}
}

// judge holds one exchange against the contract: the response always, the
// request when it was answered with 200.
func (l law) judge(t testing.TB, req *http.Request, body string, response *http.Response, text []byte) answer {
	t.Helper()
	a := answer{status: response.StatusCode, header: response.Header, body: text}
	asked := req.Clone(context.Background())
	asked.URL.Scheme, asked.URL.Host = "", ""
	asked.Header.Set("Content-Type", "application/json") // OpenAPI 3.0 cannot say "any or none"
	asked.Body = io.NopCloser(strings.NewReader(body))
	route, params, err := l.router.FindRoute(asked)
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		asked.Method = http.MethodPost
		route, params, err = l.router.FindRoute(asked)
	}
	if err != nil {
		l.judgeRefusal(t, a)
	} else {
		judgeRoute(t, &openapi3filter.RequestValidationInput{Request: asked, PathParams: params, Route: route, Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc}}, a)
	}
	if strings.HasSuffix(req.URL.Path, "z") {
		return a // a health check, whose result has another form
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&a.Envelope); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

func judgeRoute(t testing.TB, input *openapi3filter.RequestValidationInput, a answer) {
	t.Helper()
	if a.status == http.StatusOK {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			t.Errorf("request against the contract: %v", err)
		}
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 a.status,
		Header:                 a.header,
		Body:                   io.NopCloser(bytes.NewReader(a.body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		t.Errorf("response %d against the contract: %v\n%s", a.status, err, a.body)
	}
}

// judgeRefusal is for paths that the contract does not have.
func (l law) judgeRefusal(t testing.TB, a answer) {
	t.Helper()
	var v any
	if err := json.Unmarshal(a.body, &v); err != nil {
		t.Fatalf("%v: %s", err, a.body)
	}
	if err := l.doc.Components.Schemas["Refusal"].Value.VisitJSON(v); err != nil {
		t.Errorf("body against the contract: %v\n%s", err, a.body)
	}
	if a.header.Get("Content-Type") != "application/json" || a.header.Get("cf-ray") == "" {
		t.Errorf("headers %v", a.header)
	}
}
