package text

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// lines makes lines in no style.
func lines(texts ...string) []Line {
	all := make([]Line, len(texts))
	for i, text := range texts {
		all[i] = plain(text)
	}
	return all
}

// On a pipe nothing is printed before it is final, and then in order.
func TestViewOnPipe(t *testing.T) {
	var out strings.Builder
	v := NewView(&out, 3)
	steps := []struct {
		do   func()
		want string // printed by then
	}{
		{func() { v.Update(0, lines("a", "running")) }, ""},
		{func() { v.Update(2, lines("c: …")) }, ""},
		{func() { v.Finish(1, lines("b", "done")) }, ""},
		{func() { v.Finish(0, lines("a", "done")) }, "a\ndone\n\nb\ndone\n"},
		{func() { v.Abandon(2, "c", "no such host") }, "a\ndone\n\nb\ndone\n\nc: no such host\n"},
	}
	for i, step := range steps {
		step.do()
		if diff := cmp.Diff(step.want, out.String()); diff != "" {
			t.Fatalf("step %d (-want +got):\n%s", i, diff)
		}
	}
}

// brokenPipe takes one write and refuses the rest.
type brokenPipe struct{ writes int }

func (w *brokenPipe) Write(p []byte) (int, error) {
	if w.writes++; w.writes > 1 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// The first error is kept, and nothing is written after it.
func TestViewWriteError(t *testing.T) {
	w := new(brokenPipe)
	v := NewView(w, 1)
	v.size = func() (columns, rows int) { return 80, 24 }
	for i, want := range []error{nil, syscall.EPIPE, syscall.EPIPE} {
		v.Update(0, lines("a"))
		if err := v.Err(); !errors.Is(err, want) {
			t.Errorf("update %d: error %v, want %v", i+1, err, want)
		}
	}
	if w.writes != 2 {
		t.Errorf("%d writes, want 2", w.writes)
	}
}

// On a terminal each step erases what the last one drew below the final
// tables.
func TestViewOnTerminal(t *testing.T) {
	var out strings.Builder
	v := NewView(&out, 2)
	v.size = func() (columns, rows int) { return 6, 5 }
	steps := []struct {
		do   func()
		want string // printed by this step
	}{
		{func() { v.Update(0, lines("a", "running")) }, "a\nrunnin\n\n"},
		{func() { v.Update(1, lines("b", "running")) }, "\x1b[3A\x1b[Ja\nrunnin\n\nb\n"},
		{func() { v.Finish(0, lines("a", "finished")) }, "\x1b[4A\x1b[Ja\nfinished\n\nb\nrunnin\n"},
		{func() { v.Abandon(1, "b", "interrupted") }, "\x1b[3A\x1b[J\nb\ninterrupted\n"},
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
	v := NewView(&out, 1)
	v.size = func() (columns, rows int) { return 0, 0 }
	v.Update(0, lines("a"))
	v.Finish(0, lines("a", "done"))
	if got, want := out.String(), "a\ndone\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}

// Colours come around what is left of a line when it has been cut.
func TestRender(t *testing.T) {
	line := Line{{Text: "node "}, {Text: "50%", Style: Poor}, {Text: " …é", Style: Dim}}
	tests := []struct {
		columns int
		colours bool
		want    string
	}{
		{80, false, "node 50% …é"},
		{80, true, "node \x1b[33m50%\x1b[0m\x1b[2m …é\x1b[0m"},
		{10, true, "node \x1b[33m50%\x1b[0m\x1b[2m …\x1b[0m"},
		{6, true, "node \x1b[33m5\x1b[0m"},
		{0, true, ""},
	}
	for _, tt := range tests {
		if got := line.render(tt.columns, tt.colours); got != tt.want {
			t.Errorf("%d columns, colours %t: %q, want %q", tt.columns, tt.colours, got, tt.want)
		}
	}
}

func TestWantsColours(t *testing.T) {
	tests := []struct {
		noColor, term string
		want          bool
	}{
		{"", "xterm-256color", true},
		{"1", "xterm-256color", false},
		{"0", "xterm-256color", false}, // any value counts
		{"", "dumb", false},
	}
	for _, tt := range tests {
		t.Setenv("NO_COLOR", tt.noColor)
		t.Setenv("TERM", tt.term)
		if got := wantsColours(); got != tt.want {
			t.Errorf("NO_COLOR=%q TERM=%q: %t, want %t", tt.noColor, tt.term, got, tt.want)
		}
	}
}
