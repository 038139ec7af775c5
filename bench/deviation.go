//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"probe-agent/bench/capture"
	"probe-agent/bench/peer"
	"probe-agent/bench/report"
	"probe-agent/traceroute"
)

// deviation is how far the RTTs of one program are from the capture's.
type deviation struct {
	median, p99 time.Duration
	probes      int
}

// leastFound is the share of a program's answers that the capture must have,
// or the two were not matched right.
const leastFound = 0.99

// deviationOf compares what a program said with what passed the wire.
func deviationOf(program string, readings []peer.Reading, wire map[capture.Probe]time.Duration) (deviation, error) {
	var off []time.Duration
	answered := 0
	for _, r := range readings {
		if !r.Answered() {
			continue
		}
		answered++
		if rtt, found := wire[capture.Probe{Target: r.Target, TTL: r.TTL, Ordinal: r.Ordinal}]; found {
			off = append(off, (r.RTT - rtt).Abs())
		}
	}
	if answered == 0 || float64(len(off)) < leastFound*float64(answered) {
		return deviation{}, fmt.Errorf("%s: %d of %d answers are in the capture", program, len(off), answered)
	}
	return deviation{median: report.Median(off), p99: report.Percentile(off, 99), probes: len(off)}, nil
}

// deviations are those of a program, by round.
type deviations []deviation

func (d deviations) median() time.Duration {
	return d.middle(func(one deviation) time.Duration { return one.median })
}

func (d deviations) p99() time.Duration {
	return d.middle(func(one deviation) time.Duration { return one.p99 })
}

func (d deviations) middle(of func(deviation) time.Duration) time.Duration {
	values := make([]time.Duration, len(d))
	for i, one := range d {
		values[i] = of(one)
	}
	return report.Median(values)
}

func (d deviations) String() string {
	return report.Micro(d.median()) + ", p99 " + report.Micro(d.p99())
}

// samples are the readings of every program, by round.
type samples map[string][][]peer.Reading

// deviations compares all rounds of all programs with the capture.
func (s samples) deviations(wire map[capture.Probe]time.Duration) (map[string]deviations, error) {
	all := make(map[string]deviations)
	for program, rounds := range s {
		for _, readings := range rounds {
			d, err := deviationOf(program, readings, wire)
			if err != nil {
				return nil, err
			}
			all[program] = append(all[program], d)
		}
	}
	return all, nil
}

// beside names the peers with their deviations.
func beside(peers []instrument, all map[string]deviations) string {
	var words []string
	for _, p := range peers {
		words = append(words, p.name()+" "+all[p.name()].String())
	}
	return strings.Join(words, "; ")
}

// journal turns the engine's results into readings. Results of one target must
// come in the order of their traces.
type journal struct {
	readings []peer.Reading
	count    map[capture.Probe]int // probes so far, by target and TTL
}

func (j *journal) add(r *traceroute.Result) {
	if j.count == nil {
		j.count = make(map[capture.Probe]int)
	}
	bySending := slices.SortedFunc(slices.Values(r.Probes), func(a, b traceroute.Probe) int { return int(a.Sent - b.Sent) })
	for _, p := range bySending {
		to := capture.Probe{Target: r.Spec.Target, TTL: int(p.TTL)}
		reading := peer.Reading{Target: to.Target, TTL: to.TTL, Ordinal: j.count[to], RTT: peer.Unanswered}
		j.count[to]++
		if p.Answer != nil {
			reading.RTT = p.Answer.RTT
		}
		j.readings = append(j.readings, reading)
	}
}
