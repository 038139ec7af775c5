package rawsock

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

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

// portSpan is the ports from first to last.
type portSpan struct{ first, last int }

// parseReserved reads net.ipv4.ip_local_reserved_ports: ports and spans of
// ports, like 8080,9000-9010, that the kernel gives to no connection because
// services will bind them.
func parseReserved(text string) ([]portSpan, error) {
	var spans []portSpan
	for item := range strings.SplitSeq(strings.TrimSpace(text), ",") {
		if item == "" {
			continue
		}
		low, high, isSpan := strings.Cut(item, "-")
		if !isSpan {
			high = low
		}
		first, err := strconv.Atoi(low)
		last, err2 := strconv.Atoi(high)
		if err != nil || err2 != nil || first < 0 || last < first || last > highestPort {
			return nil, fmt.Errorf("rawsock: net.ipv4.ip_local_reserved_ports: %q is not a port or span of ports", item)
		}
		spans = append(spans, portSpan{first, last})
	}
	return spans, nil
}

// portCandidates returns the first ports of ranges of count ports, in the
// order to try them: above the ephemeral ports low to high, where hardly
// anybody is; then below; then among them. None has a reserved port. Ranges start at multiples of
// count, so that those of two agents on a host are the same or disjoint, and
// are shuffled so that agents seldom meet.
func portCandidates(low, high, count int, reserved []portSpan) []uint16 {
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
		tries := 0
		for _, k := range rand.Perm(ranges) {
			first := (start + k) * count
			if overlaps(reserved, portSpan{first, first + count - 1}) {
				continue
			}
			candidates = append(candidates, uint16(first))
			if tries++; tries == triesPerZone {
				break
			}
		}
	}
	return candidates
}

func overlaps(spans []portSpan, with portSpan) bool {
	for _, s := range spans {
		if s.first <= with.last && with.first <= s.last {
			return true
		}
	}
	return false
}
