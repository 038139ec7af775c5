package text

import (
	"fmt"
	"net/netip"

	"probe-agent/lookup"
	"probe-agent/prober"
)

// Followed is what several rounds of traces to one target came to together.
type Followed struct {
	target  string
	rounds  int
	last    *prober.Result
	summary prober.Summary
}

// NewFollowed begins with no round.
func NewFollowed(target string) *Followed { return &Followed{target: target} }

// Add takes in a round that has ended.
func (f *Followed) Add(r *prober.Result) {
	f.rounds++
	f.last = r
	f.summary.Add(prober.Summarise(r))
}

// Table renders all rounds so far, the last line being about the latest. At
// least one must have ended.
func (f *Followed) Table(notes map[netip.Addr]lookup.Annotation) []Line {
	lines := nodes(f.summary, false, notes)
	last := Line{{Text: fmt.Sprintf("round %d: ", f.rounds)}}
	return append(append([]Line{heading(f.target, f.last)}, lines...), append(last, ending(f.last)...))
}
