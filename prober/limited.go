package prober

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"probe-agent/traceroute"
)

// limitedMinLost is how many answers must be missing before their rhythm alone
// is called a limit: one is lost anywhere.
const limitedMinLost = 2

// surplus is an ICMP error about a probe that was sent past the end of its
// flow's path. Other answers, such as echo replies, use up no limit.
type surplus struct {
	from         netip.Addr
	sent         time.Duration // since Result.Started
	encapsulated bool          // as Probe.Encapsulated
}

// surplusReach is for how long a surplus answer may have used up what its
// sender had left for another: Linux allows one ICMP error a second to a peer
// (net.ipv4.icmp_ratelimit).
const surplusReach = time.Second

// limitedTTLs returns the TTLs whose loss is that of a limit on the ICMP errors
// that a node sends, and says nothing about the path. Either
//
//   - the node answered, up to a second before each of the lost probes was sent,
//     probes that were sent past the end of the path; or
//   - an unreachable error ended the path there, and once one was missing there
//     were no more: hosts and routers limit these most (Linux sends two at
//     once); or
//   - the loss has the rhythm of a limit: the first probes were answered, then
//     only one now and then, while on the very flows that went unanswered
//     something beyond did answer.
//
// The halves of a GREICMP trace are judged apart, and all loss at the TTL has to
// be of this sort.
func limitedTTLs(probes []traceroute.Probe, beyond []surplus) []uint8 {
	var limited []uint8
	for start := 0; start < len(probes); {
		end := start
		for end < len(probes) && probes[end].TTL == probes[start].TTL {
			end++
		}
		// The encapsulated probes of a TTL come first.
		half := start
		for half < end && probes[half].Encapsulated {
			half++
		}
		lossy, explained := 0, 0
		for _, at := range [...][]traceroute.Probe{probes[start:half], probes[half:end]} {
			if countLost(at) == 0 {
				continue
			}
			lossy++
			if someLost(at) && (usedUp(at, beyond) || ranDry(at) || looksLimited(at, probes[end:])) {
				explained++
			}
		}
		if lossy > 0 && lossy == explained {
			limited = append(limited, probes[start].TTL)
		}
		start = end
	}
	return limited
}

// someLost reports whether some of the probes were answered, and some not.
func someLost(at []traceroute.Probe) bool {
	lost := countLost(at)
	return lost > 0 && lost < len(at)
}

func countLost(at []traceroute.Probe) int {
	lost := 0
	for i := range at {
		if at[i].Answer == nil {
			lost++
		}
	}
	return lost
}

// usedUp reports whether the nodes that answered some of the probes at one TTL
// used up their limit on surplus probes.
func usedUp(at []traceroute.Probe, beyond []surplus) bool {
	answers := func(from netip.Addr) bool {
		return slices.ContainsFunc(at, func(p traceroute.Probe) bool { return p.Answer != nil && p.Answer.From == from })
	}
	for i := range at {
		if at[i].Answer == nil && !slices.ContainsFunc(beyond, func(s surplus) bool {
			since := at[i].Sent - s.sent
			return s.encapsulated == at[i].Encapsulated && since > 0 && since < surplusReach && answers(s.from)
		}) {
			return false
		}
	}
	return true
}

// ranDry reports whether all answers are unreachable errors of a path that ends
// there, and came before the first that is missing.
func ranDry(at []traceroute.Probe) bool {
	for i := range at {
		if a := at[i].Answer; a != nil && (a.Arrival || a.Kind != traceroute.Unreachable) {
			return false
		}
	}
	dry := false
	for _, p := range bySending(at) {
		if p.Answer == nil {
			dry = true
		} else if dry {
			return false
		}
	}
	return true
}

func bySending(at []traceroute.Probe) []traceroute.Probe {
	return slices.SortedStableFunc(slices.Values(at), func(a, b traceroute.Probe) int { return cmp.Compare(a.Sent, b.Sent) })
}

func looksLimited(at, beyond []traceroute.Probe) bool {
	if countLost(at) < limitedMinLost {
		return false
	}
	ordered := bySending(at)
	if ordered[0].Answer == nil {
		return false
	}
	dry, run := false, 0
	for _, p := range ordered {
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
func answeredBeyond(p traceroute.Probe, beyond []traceroute.Probe) bool {
	return slices.ContainsFunc(beyond, func(b traceroute.Probe) bool {
		return b.Flow == p.Flow && b.Encapsulated == p.Encapsulated && b.Answer != nil
	})
}
