package text

import (
	"os"
	"strings"
	"unicode/utf8"
)

// Style is how a span looks where colours are wanted.
type Style uint8

// The styles.
const (
	Plain  Style = iota
	Strong       // headings
	Dim          // what says that there is nothing to say
	Good         // the target was reached
	Poor         // some packets were lost
	Bad          // all of them, or an unreachable answer
)

// escapes are the styles' SGR sequences (ECMA-48 section 8.3.117), in the eight
// colours that every terminal has.
var escapes = [...]string{Strong: "\x1b[1m", Dim: "\x1b[2m", Good: "\x1b[32m", Poor: "\x1b[33m", Bad: "\x1b[31m"} //nolint:gochecknoglobals // a constant table

const reset = "\x1b[0m"

// Span is a piece of a line in one style.
type Span struct {
	Text  string
	Style Style
}

// Line is one line of output, without its end.
type Line []Span

// plain is a line in no style.
func plain(text string) Line { return Line{{Text: text}} }

// String returns the line without styles.
func (l Line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.Text)
	}
	return b.String()
}

// render returns at most the given number of columns of the line, with escape
// sequences when colours are wanted.
func (l Line) render(columns int, colours bool) string {
	var b strings.Builder
	for _, s := range l {
		text := s.Text
		if n := utf8.RuneCountInString(text); n > columns {
			text = string([]rune(text)[:max(0, columns)])
		}
		columns -= utf8.RuneCountInString(text)
		if colours && s.Style != Plain && text != "" {
			text = escapes[s.Style] + text + reset
		}
		b.WriteString(text)
	}
	return b.String()
}

// wantsColours tells whether a terminal should get colours: not when NO_COLOR
// is set to anything (no-color.org), nor on one that knows no sequences.
func wantsColours() bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
