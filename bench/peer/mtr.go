package peer

import (
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// MTR reads what mtr(8) prints with --raw: "x hop seq" for a probe sent and
// "p hop microseconds seq" for its answer, hops counted from 0. Other lines
// name hosts. The target is not in it.
func MTR(output string, target netip.Addr) ([]Reading, error) {
	var readings []Reading
	bySequence := make(map[int]int) // index of the latest probe of that number
	ordinals := make(map[int]int)   // probes so far, by hop
	for line := range strings.Lines(output) {
		var hop, microseconds, sequence int
		var err error
		switch {
		case strings.HasPrefix(line, "x "):
			if _, err = fmt.Sscanf(line, "x %d %d", &hop, &sequence); err == nil {
				bySequence[sequence] = len(readings)
				readings = append(readings, Reading{Target: target, TTL: hop + 1, Ordinal: ordinals[hop], RTT: Unanswered})
				ordinals[hop]++
			}
		case strings.HasPrefix(line, "p "):
			if _, err = fmt.Sscanf(line, "p %d %d %d", &hop, &microseconds, &sequence); err == nil {
				i, sent := bySequence[sequence]
				if !sent || readings[i].TTL != hop+1 {
					return nil, fmt.Errorf("peer: mtr wrote %q of a probe that it did not send", line)
				}
				readings[i].RTT = time.Duration(microseconds) * time.Microsecond
			}
		}
		if err != nil {
			return nil, fmt.Errorf("peer: mtr wrote %q: %w", line, err)
		}
	}
	return readings, nil
}
