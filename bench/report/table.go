package report

import (
	"fmt"
	"io"
	"strings"
)

// Verdict says how a measurement came out.
type Verdict string

// The verdicts.
const (
	Met     Verdict = "met"
	Missed  Verdict = "**missed**"
	Skipped Verdict = "skipped"
	Failed  Verdict = "**failed**"
)

// Judge is Met or Missed.
func Judge(met bool) Verdict {
	if met {
		return Met
	}
	return Missed
}

// Goal is what is measured and what it has to reach.
type Goal struct{ What, Target string }

// Row is a Goal and what came of it.
type Row struct {
	Goal
	Outcome
}

// Outcome is what a measurement found: the agent, whatever stands beside it,
// the ratio of the two, in the words of the table.
type Outcome struct {
	Ours, Beside, Ratio string
	Verdict             Verdict
	Note                string // below the table; may be empty
}

// Table is the rows in the order of printing.
type Table []Row

// Verdicts counts the rows by verdict.
func (t Table) Verdicts() map[Verdict]int {
	count := make(map[Verdict]int)
	for _, r := range t {
		count[r.Verdict]++
	}
	return count
}

// Markdown writes the table, and the notes below it, numbered as the rows.
func (t Table) Markdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| # | what | agent | beside it, in the same run | ratio | target | verdict |\n")
	b.WriteString("|--:|---|---|---|---|---|---|\n")
	for i, r := range t {
		fmt.Fprintf(&b, "| %d |", i+1)
		for _, cell := range []string{r.What, r.Ours, r.Beside, r.Ratio, r.Target, string(r.Verdict)} {
			fmt.Fprintf(&b, " %s |", escape(cell))
		}
		b.WriteString("\n")
	}
	first := true
	for i, r := range t {
		if r.Note == "" {
			continue
		}
		if first {
			b.WriteString("\n")
			first = false
		}
		fmt.Fprintf(&b, "- Row %d: %s\n", i+1, strings.Join(strings.Fields(r.Note), " "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// escape keeps a text within its cell.
func escape(cell string) string {
	if cell == "" {
		return "–"
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(cell), " "), "|", `\|`)
}
