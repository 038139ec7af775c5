package text

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// View shows the tables of several traces that run at once: on a terminal
// redrawn in place as they grow, anywhere else each printed once it is final,
// in the order of the targets. Safe for concurrent use.
type View struct {
	w       io.Writer
	size    func() (columns, rows int) // nil when w is no terminal
	colours bool

	mu      sync.Mutex
	tables  [][]Line
	final   []bool
	printed int // tables that have been printed for good
	drawn   int // lines on the screen below those
	err     error
}

// NewView returns a view of so many traces on w. A terminal gets colours,
// unless NO_COLOR is set.
func NewView(w io.Writer, traces int) *View {
	v := &View{w: w, size: terminalSize(w), tables: make([][]Line, traces), final: make([]bool, traces)}
	v.colours = v.size != nil && wantsColours()
	return v
}

// Err returns the first error of writing to the terminal or file, nil if there
// was none. Nothing is written after it.
func (v *View) Err() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.err
}

// terminalSize returns how to ask for the size of the terminal that w is, nil
// when it is none.
func terminalSize(w io.Writer) func() (columns, rows int) {
	file, ok := w.(interface{ Fd() uintptr })
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

// Update shows the table of trace i as it is now.
func (v *View) Update(i int, lines []Line) { v.show(i, lines, false) }

// Finish shows the table of trace i as it will stay.
func (v *View) Finish(i int, lines []Line) { v.show(i, lines, true) }

// Abandon ends trace i without result. The table that it has shown, if any,
// stays, with the reason in place of its last line.
func (v *View) Abandon(i int, target, reason string) {
	v.mu.Lock()
	lines := v.tables[i]
	v.mu.Unlock()
	if len(lines) < 2 {
		v.Finish(i, []Line{{{Text: target + ": "}, {Text: reason, Style: Bad}}})
		return
	}
	v.Finish(i, append(slices.Clip(lines[:len(lines)-1]), Line{{Text: reason, Style: Bad}}))
}

func (v *View) show(i int, lines []Line, final bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tables[i], v.final[i] = lines, final
	if v.err != nil || v.size == nil && !final {
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
		for _, line := range v.tables[v.printed] {
			out.WriteString(line.render(math.MaxInt, v.colours) + "\n")
		}
	}
	if v.size != nil {
		v.draw(&out)
	}
	_, v.err = io.WriteString(v.w, out.String())
}

// draw writes the tables that are not printed yet, cut to what the screen has
// room for: a line that wrapped or scrolled away could not be redrawn.
func (v *View) draw(out *strings.Builder) {
	var lines []Line
	for i := v.printed; i < len(v.tables); i++ {
		if i > 0 {
			lines = append(lines, nil)
		}
		lines = append(lines, v.tables[i]...)
	}
	columns, rows := v.size()
	lines = lines[:max(0, min(len(lines), rows-1))]
	for _, line := range lines {
		out.WriteString(line.render(columns, v.colours) + "\n")
	}
	v.drawn = len(lines)
}
