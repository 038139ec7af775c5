package rawsock

import "math/rand/v2"

// Candidates for held ports.
const (
	// Below are the ports of services that are configured by hand.
	lowestPort = 16384
	// Kubernetes hands out 30000 to 32767 for services (NodePort).
	firstNodePort = 30000
	highestPort   = 65535
	// triesPerZone bounds the search on a host that uses very many ports.
	triesPerZone = 32
)

// portCandidates returns the first ports of ranges of count ports, in the
// order to try them: above the ephemeral ports low to high, where hardly
// anybody is; then below; then among them. Ranges start at multiples of
// count, so that those of two agents on a host are the same or disjoint, and
// are shuffled so that agents seldom meet.
func portCandidates(low, high, count int) []uint16 {
	var candidates []uint16
	zones := [...][2]int{
		{max(high+1, lowestPort), highestPort},
		{lowestPort, min(low, firstNodePort) - 1},
		{max(low, lowestPort), min(high, highestPort)},
	}
	for _, zone := range zones {
		start := (zone[0] + count - 1) / count
		ranges := (zone[1]+1)/count - start
		if ranges <= 0 {
			continue
		}
		for i, k := range rand.Perm(ranges) {
			if i == triesPerZone {
				break
			}
			candidates = append(candidates, uint16((start+k)*count))
		}
	}
	return candidates
}
