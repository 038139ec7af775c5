package text

import (
	"fmt"
	"net/netip"
	"slices"

	"probe-agent/lookup"
	"probe-agent/prober"
)

// Followed is what several rounds of traces to one target came to together.
type Followed struct {
	target  string
	rounds  int
	last    *prober.Result
	summary prober.Summary
	lossy   []uint8 // TTLs of which a round had loss that was no limit
	limited []uint8 // TTLs of which a round had loss that was
}

// NewFollowed begins with no round.
func NewFollowed(target string) *Followed { return &Followed{target: target} }

// Add takes in a round that has ended.
func (f *Followed) Add(r *prober.Result) {
	f.rounds++
	f.last = r
	summary := prober.Summarise(r)
	for _, hop := range summary.Hops {
		switch {
		case hop.Lost == 0:
		case slices.Contains(r.Limited, hop.TTL):
			f.limited = append(f.limited, hop.TTL)
		default:
			f.lossy = append(f.lossy, hop.TTL)
		}
	}
	f.lossy, f.limited = ascending(f.lossy), ascending(f.limited)
	f.summary.Add(summary)
}

// ascending returns the TTLs in order, each once.
func ascending(ttls []uint8) []uint8 {
	slices.Sort(ttls)
	return slices.Compact(ttls)
}

// Table renders all rounds so far, the last line being about the latest. At
// least one must have ended.
func (f *Followed) Table(notes map[netip.Addr]lookup.Annotation) []Line {
	limited := slices.DeleteFunc(slices.Clone(f.limited), func(ttl uint8) bool { return slices.Contains(f.lossy, ttl) })
	lines := nodes(f.summary, limited, false, notes)
	last := Line{{Text: fmt.Sprintf("round %d: ", f.rounds)}}
	return append(append([]Line{heading(f.target, f.last)}, lines...), append(last, ending(f.last, limited)...))
}
