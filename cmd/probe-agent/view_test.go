package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// On a pipe nothing is printed before it is final, and then in order.
func TestViewOnPipe(t *testing.T) {
	var out strings.Builder
	v := newView(&out, 3)
	steps := []struct {
		do   func()
		want string // printed by then
	}{
		{func() { v.update(0, []string{"a", "running"}) }, ""},
		{func() { v.update(2, []string{"c: …"}) }, ""},
		{func() { v.finish(1, []string{"b", "done"}) }, ""},
		{func() { v.finish(0, []string{"a", "done"}) }, "a\ndone\n\nb\ndone\n"},
		{func() { v.abandon(2, "c", "no such host") }, "a\ndone\n\nb\ndone\n\nc: no such host\n"},
	}
	for i, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, out.String()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// On a terminal each step erases what the last one drew below the final
// tables.
func TestViewOnTerminal(t *testing.T) {
	var out strings.Builder
	v := newView(&out, 2)
	v.size = func() (columns, rows int) { return 6, 5 }
	steps := []struct {
		do   func()
		want string // printed by this step
	}{
		{func() { v.update(0, []string{"a", "running"}) }, "a\nrunnin\n\n"},
		{func() { v.update(1, []string{"b", "running"}) }, "\x1b[3A\x1b[Ja\nrunnin\n\nb\n"},
		{func() { v.finish(0, []string{"a", "finished"}) }, "\x1b[4A\x1b[Ja\nfinished\n\nb\nrunnin\n"},
		{func() { v.abandon(1, "b", "interrupted") }, "\x1b[3A\x1b[J\nb\ninterrupted\n"},
	}
	for i, step := range steps {
		out.Reset()
		step.do()
		if diff := cmp.Diff(step.want, out.String()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// A terminal may shrink to nothing.
func TestViewWithoutRoom(t *testing.T) {
	var out strings.Builder
	v := newView(&out, 1)
	v.size = func() (columns, rows int) { return 0, 0 }
	v.update(0, []string{"a"})
	v.finish(0, []string{"a", "done"})
	if got, want := out.String(), "a\ndone\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
