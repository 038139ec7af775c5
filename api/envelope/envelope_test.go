package envelope_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"probe-agent/api/envelope"
)

// A list is written as the tree of it would be.
func TestWriteList(t *testing.T) {
	type head struct {
		ID string `json:"id"`
	}
	entries := func(texts ...string) func(func([]byte) bool) {
		return func(yield func([]byte) bool) {
			for _, text := range texts {
				if !yield([]byte(text)) {
					return
				}
			}
		}
	}
	note := envelope.Message{Code: 1001, Message: "a → b"}
	for _, tt := range []struct {
		list  envelope.List
		notes []envelope.Message
		want  string
	}{
		{envelope.List{Entries: entries()}, nil, `{"result":[],"success":true,"errors":[],"messages":[]}`},
		{envelope.List{Entries: entries("1", "2")}, []envelope.Message{note}, `{"result":[1,2],"success":true,"errors":[],"messages":[{"code":1001,"message":"a → b"}]}`},
		{envelope.List{Head: head{"<x>"}, Field: "all", Entries: entries(`{"a":1}`)}, nil, `{"result":{"id":"<x>","all":[{"a":1}]},"success":true,"errors":[],"messages":[]}`},
		{envelope.List{Head: head{}, Field: "all", Entries: entries()}, nil, `{"result":{"id":"","all":[]},"success":true,"errors":[],"messages":[]}`},
	} {
		w := httptest.NewRecorder()
		envelope.WriteList(w, 200, tt.list, func() []envelope.Message { return tt.notes })
		if got := w.Body.String(); got != tt.want+"\n" || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s, want %s (%v)", got, tt.want, w.Header())
		}
	}
}

// The answer begins with the first entry: what panics before may be answered
// with something else.
func TestWriteListPanicsBeforeItBegins(t *testing.T) {
	w := httptest.NewRecorder()
	func() {
		defer func() { _ = recover() }()
		envelope.WriteList(w, 200, envelope.List{Entries: func(func([]byte) bool) { panic("injected") }}, nil)
	}()
	if w.Body.Len() > 0 || len(w.Header()) > 0 {
		t.Errorf("%q %v", w.Body, w.Header())
	}
}

// Of one field the first problem counts, and there are never too many.
func TestProblems(t *testing.T) {
	var p envelope.Problems
	if p.Err() != nil {
		t.Error("no problem is an error")
	}
	p.Add(envelope.CodeBody, "/a", "first")
	p.Add(envelope.CodeOption, "/a", "second")
	for i := range 100 {
		p.Add(envelope.CodeBody, "", "whole %d", i)
	}
	if len(p) != 32 || p[0].Message != "first" || slices.ContainsFunc(p, func(m envelope.Message) bool { return m.Message == "second" }) {
		t.Errorf("%d problems: %+v", len(p), p[0])
	}
}
