package v1

import (
	"strings"
	"testing"
)

func TestChooseForm(t *testing.T) {
	const refused = "-"
	tests := map[string]string{ // headers, joined by |, to the form
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
		"text/html|text/event-stream;q=0.1":          "text/event-stream",
	}
	for headers, want := range tests {
		f, err := chooseForm(strings.Split(headers, "|"), wholeForm, ndjsonForm, sseForm)
		got := refused
		if err == nil {
			got = f.mediaType()
		}
		if got != want {
			t.Errorf("%q: %s, want %s", headers, got, want)
		}
	}
	if f, err := chooseForm(nil, ndjsonForm, sseForm); err != nil || f != ndjsonForm {
		t.Errorf("without a header: %v, %v", f, err)
	}
}

func TestPrefersAsync(t *testing.T) {
	tests := map[string]bool{ // headers, joined by |
		"": false, "respond-async": true, "Respond-Async": true, "respond-async; x=1": true, "wait=10, respond-async": true,
		"return=minimal": false, "respond-asynchronously": false, "wait=10|respond-async": true, "x=respond-async": false,
	}
	for headers, want := range tests {
		if got := prefersAsync(strings.Split(headers, "|")); got != want {
			t.Errorf("%q: %t", headers, got)
		}
	}
}
