package text

import (
	"fmt"

	"probe-agent/stats"
	"probe-agent/traceroute"
)

// Followed is what several rounds of traces to one target came to together.
type Followed struct {
	target string
	rounds int
	last   *traceroute.Result
	all    stats.Accumulator
}

// NewFollowed begins with no round.
func NewFollowed(target string) *Followed { return &Followed{target: target} }

// Add takes in a round that has ended.
func (f *Followed) Add(r *traceroute.Result) {
	f.rounds++
	f.last = r
	f.all.Add(r)
}

// Table renders all rounds so far, the last line being about the latest. At
// least one must have ended.
func (f *Followed) Table(notes traceroute.Notes) []Line {
	summary := f.all.Summary()
	var limited []uint8
	for _, hop := range summary.Hops {
		if hop.Limited {
			limited = append(limited, hop.TTL)
		}
	}
	lines := nodes(summary, false, notes)
	last := Line{{Text: fmt.Sprintf("round %d: ", f.rounds)}}
	return append(append([]Line{heading(f.target, f.last)}, lines...), append(last, ending(f.last, limited)...))
}
