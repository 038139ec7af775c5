//go:build linux

package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// ceilingTraces is how many traces the engine runs at once: enough never to
// run out of probes that are due, although rounds are spaced.
const ceilingTraces = 400

// leastMatched is the share of probes that must be answered, or a rate means
// nothing. A trace does not wait for answers to what it sent past its target.
const leastMatched = 0.999

// ceiling compares the engine with a loop that does nothing but send.
func ceiling() measurement {
	return measurement{
		name: "ceiling",
		goals: []report.Goal{{
			What: "probes a second with all answers matched, engine in process (400 traces of 3 hops × 10 packets at once), " +
				"against a bare `sendmmsg` loop in the same lab",
			Target: "≥ 70 %",
		}},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			err = lab(throughputRouters, 1000, func(l *kernel.Lab) error {
				outcomes, err = b.compareCeiling(ctx, l)
				return err
			})
			return outcomes, err
		},
	}
}

func (b *bench) compareCeiling(ctx context.Context, l *kernel.Lab) ([]report.Outcome, error) {
	span := scaled(b, 2*time.Second, time.Second/2)
	var rates report.Pairs
	var answered, both []float64
	for range b.rounds {
		bare, err := flood(l, span, 1)
		if err != nil {
			return nil, err
		}
		two, err := flood(l, span, 2)
		if err != nil {
			return nil, err
		}
		both = append(both, two.perSecond)
		var ours float64
		err = b.profiled("engine", func() error {
			ours, err = engineRate(ctx, l, span)
			return err
		})
		if err != nil {
			return nil, err
		}
		rates = append(rates, report.Pair{Ours: ours, Theirs: bare.perSecond})
		answered = append(answered, bare.answered)
	}
	return []report.Outcome{{
		Ours: report.Count(rates.Ours()) + "/s",
		Beside: fmt.Sprintf("bare loop %s/s (%.0f %% of them answered); two at once, together %s/s",
			report.Count(rates.Theirs()), 100*report.Median(answered), report.Count(report.Median(both))),
		Ratio:   fmt.Sprintf("%.0f %%", 100*rates.Ratio()),
		Verdict: report.Judge(rates.Ratio() >= 0.7),
	}}, nil
}

// engineRate runs traces for a span of time and returns how many probes a
// second were sent, answered and matched.
func engineRate(ctx context.Context, l *kernel.Lab, span time.Duration) (float64, error) {
	engine, err := engineIn(l, prober.Options{})
	if err != nil {
		return 0, err
	}
	defer engine.Close()
	targets := l.Targets(false)
	errs := make(chan error, ceilingTraces)
	started := time.Now()
	var running sync.WaitGroup
	for worker := range ceilingTraces {
		running.Go(func() {
			for next := worker; time.Since(started) < span; next += ceilingTraces {
				spec := traceroute.Spec{Target: targets[next%len(targets)], PacketsPerTTL: traceroute.PacketsPerTTLLimit}
				if _, err := engine.Trace(ctx, spec, prober.Feed{}); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	running.Wait()
	took := time.Since(started)
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	total := engine.Totals()
	if float64(total.Matched+total.Late) < leastMatched*float64(total.Sent) {
		return 0, fmt.Errorf("the engine sent %d probes, and %d answers were matched or came after their trace", total.Sent, total.Matched+total.Late)
	}
	return float64(total.Matched) / took.Seconds(), nil
}
