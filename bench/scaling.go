//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
)

const (
	scalingRate = 10_000 // probes a second
	// scalingRequests is how many requests are under way at once.
	scalingRequests = 50
	// scalingMargin is how much more a probe may cost with ten times the
	// targets before that counts as more than linear.
	scalingMargin = 1.1
)

// scaling measures how long runs over more and more targets take at a fixed
// rate.
func scaling() measurement {
	return measurement{
		name: "scaling",
		goals: []report.Goal{{
			What:   "wall time of 10, 1,000 and 10,000 targets × 3 hops × 3 packets at 10,000 probes a second, through the API",
			Target: "linear in probes",
		}},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			sizes := scaled(b, []int{10, 1000, 10_000}, []int{10, 500, 1000})
			err = lab(throughputRouters, sizes[2], func(l *kernel.Lab) error {
				flags := []string{"--rate", fmt.Sprint(scalingRate), "--near-hop-rate", "0"}
				return b.serve(ctx, l.Host, flags, func(a *agent) error {
					outcomes, err = measureScaling(ctx, l, a, sizes)
					return err
				})
			})
			return outcomes, err
		},
	}
}

func measureScaling(ctx context.Context, l *kernel.Lab, a *agent, sizes []int) ([]report.Outcome, error) {
	var words []string
	var walls []time.Duration
	var probes []int64
	for _, size := range sizes {
		before, err := count(l)
		if err != nil {
			return nil, err
		}
		traces, took, err := a.trace(ctx, l.Targets(false)[:size], options{Packets: throughputPackets}, scalingRequests)
		if err != nil {
			return nil, err
		}
		for _, t := range traces {
			if err := t.whole(throughputRouters+1, throughputPackets); err != nil {
				return nil, err
			}
		}
		after, err := count(l)
		if err != nil {
			return nil, err
		}
		walls, probes = append(walls, took), append(probes, after.since(before).sent)
		words = append(words, fmt.Sprintf("%.3f s for %s", took.Seconds(), report.Count(float64(probes[len(probes)-1]))))
	}
	first, second := slope(walls, probes, 0), slope(walls, probes, 1)
	ideal := float64(time.Second) / scalingRate
	return []report.Outcome{{
		Ours:   strings.Join(words, ", ") + " probes",
		Beside: fmt.Sprintf("the rate alone: %.0f µs a further probe; measured %.1f, then %.1f", ideal/1e3, first/1e3, second/1e3),
		Ratio:  fmt.Sprintf("%.2f×", second/first),
		// Against the ideal as well: a first step that is too dear must not
		// hide a second one.
		Verdict: report.Judge(second <= scalingMargin*first && second <= scalingMargin*ideal),
	}}, nil
}

// slope returns how many nanoseconds each probe more has cost, from one size
// to the next.
func slope(walls []time.Duration, probes []int64, from int) float64 {
	return float64(walls[from+1]-walls[from]) / float64(probes[from+1]-probes[from])
}
