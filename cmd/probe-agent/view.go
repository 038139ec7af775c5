package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// view shows the tables of several traces that run at once: on a terminal
// redrawn in place as they grow, anywhere else each printed once it is final,
// in the order of the targets. Safe for concurrent use.
type view struct {
	w    io.Writer
	size func() (columns, rows int) // nil when w is no terminal

	mu      sync.Mutex
	tables  [][]string
	final   []bool
	printed int // tables that have been printed for good
	drawn   int // lines on the screen below those
}

func newView(w io.Writer, traces int) *view {
	return &view{w: w, size: terminalSize(w), tables: make([][]string, traces), final: make([]bool, traces)}
}

// terminalSize returns how to ask for the size of the terminal that w is, nil
// when it is none.
func terminalSize(w io.Writer) func() (columns, rows int) {
	file, ok := w.(*os.File)
	if !ok {
		return nil
	}
	size := func() (columns, rows int) {
		got, err := unix.IoctlGetWinsize(int(file.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			return 0, 0
		}
		return int(got.Col), int(got.Row)
	}
	if columns, rows := size(); columns == 0 || rows == 0 {
		return nil
	}
	return size
}

// update shows the table of trace i as it is now.
func (v *view) update(i int, lines []string) { v.show(i, lines, false) }

// finish shows the table of trace i as it will stay.
func (v *view) finish(i int, lines []string) { v.show(i, lines, true) }

// abandon ends trace i without result. The table that it has shown, if any,
// stays, with the reason in place of its last line.
func (v *view) abandon(i int, target, reason string) {
	v.mu.Lock()
	lines := v.tables[i]
	v.mu.Unlock()
	if len(lines) < 2 {
		v.finish(i, []string{target + ": " + reason})
		return
	}
	v.finish(i, append(lines[:len(lines)-1:len(lines)-1], reason))
}

func (v *view) show(i int, lines []string, final bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tables[i], v.final[i] = lines, final
	if v.size == nil && !final {
		return
	}
	var out strings.Builder
	if v.drawn > 0 {
		// Up to the first line drawn, and clear to the end of the screen.
		fmt.Fprintf(&out, "\x1b[%dA\x1b[J", v.drawn)
		v.drawn = 0
	}
	for ; v.printed < len(v.tables) && v.final[v.printed]; v.printed++ {
		if v.printed > 0 {
			out.WriteString("\n")
		}
		out.WriteString(strings.Join(v.tables[v.printed], "\n") + "\n")
	}
	if v.size != nil {
		v.draw(&out)
	}
	// A terminal or pipe that is gone ends the process by SIGPIPE.
	_, _ = io.WriteString(v.w, out.String())
}

// draw writes the tables that are not printed yet, cut to what the screen has
// room for: a line that wrapped or scrolled away could not be redrawn.
func (v *view) draw(out *strings.Builder) {
	var lines []string
	for i := v.printed; i < len(v.tables); i++ {
		if i > 0 {
			lines = append(lines, "")
		}
		lines = append(lines, v.tables[i]...)
	}
	columns, rows := v.size()
	lines = lines[:max(0, min(len(lines), rows-1))]
	for _, line := range lines {
		out.WriteString(cut(line, columns) + "\n")
	}
	v.drawn = len(lines)
}

// cut shortens a line to a number of columns.
func cut(line string, columns int) string {
	if utf8.RuneCountInString(line) <= columns {
		return line
	}
	return string([]rune(line)[:max(0, columns)])
}
