package prober

import (
	"cmp"
	"slices"
)

// limitedMinLost is how many answers must be missing before loss is called a
// limit: one is lost anywhere.
const limitedMinLost = 2

// limitedTTLs returns the TTLs whose loss has the rhythm of a router that
// limits the ICMP errors it sends: it answered the first probes, then only one
// now and then, while on the very flows that went unanswered something beyond
// it did answer. Such loss says nothing about the path.
func limitedTTLs(probes []Probe) []uint8 {
	var limited []uint8
	for start := 0; start < len(probes); {
		end := start
		for end < len(probes) && probes[end].TTL == probes[start].TTL {
			end++
		}
		if looksLimited(probes[start:end], probes[end:]) {
			limited = append(limited, probes[start].TTL)
		}
		start = end
	}
	return limited
}

func looksLimited(at, beyond []Probe) bool {
	lost := 0
	for i := range at {
		if at[i].Answer == nil {
			lost++
		}
	}
	if lost < limitedMinLost || lost == len(at) {
		return false // as nearly every hop
	}
	bySending := slices.Clone(at)
	slices.SortStableFunc(bySending, func(a, b Probe) int { return cmp.Compare(a.Sent, b.Sent) })
	if bySending[0].Answer == nil {
		return false
	}
	dry, run := false, 0
	for _, p := range bySending {
		if p.Answer != nil {
			if run++; dry && run > 1 {
				return false // two in a row after a loss: no bucket that ran dry
			}
			continue
		}
		if dry, run = true, 0; !answeredBeyond(p, beyond) {
			return false
		}
	}
	return true
}

// answeredBeyond reports whether the flow of p was answered from further on.
func answeredBeyond(p Probe, beyond []Probe) bool {
	return slices.ContainsFunc(beyond, func(b Probe) bool {
		return b.Flow == p.Flow && b.Encapsulated == p.Encapsulated && b.Answer != nil
	})
}
