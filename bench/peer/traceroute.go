package peer

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Traceroute reads what traceroute(8) prints with -n: a headline with the
// target in brackets, then a line for each TTL with, for each probe in order,
// its RTT in milliseconds or a star. An address stands where it changes, a
// flag such as !H behind the RTT that it belongs to.
func Traceroute(output string) ([]Reading, error) {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	_, rest, found := strings.Cut(lines[0], "(")
	address, _, closed := strings.Cut(rest, ")")
	if !found || !closed {
		return nil, fmt.Errorf("peer: traceroute began with %q", lines[0])
	}
	target, err := netip.ParseAddr(address)
	if err != nil {
		return nil, fmt.Errorf("peer: traceroute's target: %w", err)
	}
	var readings []Reading
	for _, line := range lines[1:] {
		ttl, rtts, err := tracerouteHop(line)
		if err != nil {
			return nil, fmt.Errorf("peer: traceroute wrote %q: %w", line, err)
		}
		for ordinal, rtt := range rtts {
			readings = append(readings, Reading{Target: target, TTL: ttl, Ordinal: ordinal, RTT: rtt})
		}
	}
	return readings, nil
}

func tracerouteHop(line string) (ttl int, rtts []time.Duration, err error) {
	words := strings.Fields(line)
	if len(words) == 0 {
		return 0, nil, errors.New("nothing")
	}
	if ttl, err = strconv.Atoi(words[0]); err != nil {
		return 0, nil, err
	}
	for i, word := range words {
		switch word {
		case "*":
			rtts = append(rtts, Unanswered)
		case "ms":
			rtt, err := milliseconds(words[i-1])
			if err != nil {
				return 0, nil, err
			}
			rtts = append(rtts, rtt)
		}
	}
	return ttl, rtts, nil
}

// milliseconds reads a decimal number of milliseconds, not negative.
func milliseconds(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text + "ms")
	if err != nil {
		return 0, err
	}
	if d < 0 {
		return 0, fmt.Errorf("%s ms is negative", text)
	}
	return d, nil
}
