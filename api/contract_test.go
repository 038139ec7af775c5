package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"probe-agent/api/cloudflare"
	"probe-agent/api/envelope"
	v1 "probe-agent/api/v1"
)

const nativePath = v1.Prefix

const endpoint = "/client/v4/accounts/0123456789abcdef0123456789abcdef/diagnostics/traceroute"

// law is openapi.yaml, ready to judge.
type law struct {
	doc    *openapi3.T
	router routers.Router
}

func loadLaw(t testing.TB) law {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData([]byte(Contract()))
	if err != nil {
		t.Fatal(err)
	}
	router, err := legacy.NewRouter(doc) // validates the document
	if err != nil {
		t.Fatal(err)
	}
	return law{doc, router}
}

// judge holds an exchange against the contract: the response always, the
// request when it was answered with 200.
func (l law) judge(t testing.TB, req *http.Request, reqBody []byte, status int, header http.Header, body []byte) {
	t.Helper()
	req = req.Clone(context.Background())
	// OpenAPI 3.0 cannot say that any Content-Type, or none, means JSON.
	req.Header.Set("Content-Type", "application/json")
	req.Body = io.NopCloser(bytes.NewReader(reqBody))
	route, params, err := l.router.FindRoute(req)
	if errors.Is(err, routers.ErrMethodNotAllowed) {
		asked := *req
		asked.Method = http.MethodPost
		if route, params, err = l.router.FindRoute(&asked); err != nil {
			asked.Method = http.MethodGet
			route, params, err = l.router.FindRoute(&asked)
		}
		req = &asked
	}
	if err != nil {
		l.judgeRefusal(t, header, body)
		return
	}
	input := &openapi3filter.RequestValidationInput{
		Request: req, PathParams: params, Route: route,
		// Who may ask is what tests of authentication are for.
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
	if status == http.StatusOK {
		if err := openapi3filter.ValidateRequest(t.Context(), input); err != nil {
			t.Errorf("request %s against the contract: %v", reqBody, err)
		}
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	})
	if err != nil {
		t.Errorf("response %d against the contract: %v\n%s", status, err, body)
	}
}

// judgeRefusal is for paths that the contract does not have.
func (l law) judgeRefusal(t testing.TB, header http.Header, body []byte) {
	t.Helper()
	if got := header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type is %q", got)
	}
	if header.Get("cf-ray") == "" {
		t.Error("no cf-ray")
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if err := l.doc.Components.Schemas["Refusal"].Value.VisitJSON(v); err != nil {
		t.Errorf("body against the contract: %v\n%s", err, body)
	}
}

// answer is a response after judgement.
type answer struct {
	status int
	header http.Header
	body   []byte
	envelope.Envelope[[]cloudflare.TargetResult]
}

// ask sends one request to h and judges the exchange.
func (l law) ask(t testing.TB, h http.Handler, method, path, body string) answer {
	t.Helper()
	return l.askFor(t, h, method, path, body, "")
}

// askFor is ask with an Accept header.
func (l law) askFor(t testing.TB, h http.Handler, method, path, body, accept string) answer {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if accept != "" {
		req.Header.Set("Accept", accept)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	a := answer{status: rec.Code, header: rec.Header(), body: rec.Body.Bytes()}
	if method == http.MethodHead {
		return a
	}
	l.judge(t, req, []byte(body), a.status, a.header, a.body)
	// Other results have other forms; their tests read body.
	if strings.HasSuffix(path, traceroutePath[len("/accounts/{account_id}"):]) {
		if err := json.Unmarshal(a.body, &a.Envelope); err != nil {
			t.Fatalf("%v: %s", err, a.body)
		}
	}
	return a
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }
