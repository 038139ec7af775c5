//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
)

// readiness measures from the start of the process to the first 200 of
// /readyz.
func readiness() measurement {
	return measurement{
		name:  "start",
		goals: []report.Goal{{What: "start to ready: from exec to `/readyz` answering 200", Target: "≤ 100 ms"}},
		run: func(ctx context.Context, b *bench) ([]report.Outcome, error) {
			node, err := kernel.NewNode("start")
			if err != nil {
				return nil, err
			}
			var took []time.Duration
			for range 2*b.rounds + 1 {
				started := time.Now()
				err = b.serve(ctx, node, nil, func(*agent) error {
					took = append(took, time.Since(started))
					return nil
				})
				if err != nil {
					break
				}
			}
			if err := errors.Join(err, node.Close()); err != nil {
				return nil, err
			}
			median, worst := report.Median(took), report.Percentile(took, 100)
			return []report.Outcome{{
				Ours:    fmt.Sprintf("%d ms (at most %d ms in %d starts)", median.Milliseconds(), worst.Milliseconds(), len(took)),
				Verdict: report.Judge(median <= 100*time.Millisecond),
			}}, nil
		},
	}
}
