//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"probe-agent/bench/report"
)

// measurement fills some rows of the table.
type measurement struct {
	name  string
	needs []program
	goals []report.Goal
	// compares: with an earlier agent; left out when none is given.
	compares bool
	run      func(context.Context, *bench) ([]report.Outcome, error) // one for each goal
}

// measurements returns all of them, in the order of the table.
func measurements() []measurement {
	return []measurement{
		throughput(), ceiling(), memoryNetwork(),
		idleAccuracy(), loadedAccuracy(),
		answeringPath(), silentHops(), silentTarget(), pathLengths(),
		scaling(), memory(), readiness(), versions(),
	}
}

func measurementNames() []string {
	var names []string
	for _, m := range measurements() {
		names = append(names, m.name)
	}
	return names
}

// measure makes the measurements asked for, all when none is named.
func (b *bench) measure(ctx context.Context, only []string) report.Table {
	var table report.Table
	for _, m := range measurements() {
		if len(only) > 0 && !slices.Contains(only, m.name) || m.compares && b.before == "" || ctx.Err() != nil {
			continue
		}
		started := time.Now()
		fmt.Fprintf(os.Stderr, "%-10s ", m.name)
		outcomes := b.one(ctx, m)
		for i, goal := range m.goals {
			table = append(table, report.Row{Goal: goal, Outcome: outcomes[i]})
			fmt.Fprintf(os.Stderr, "%s ", outcomes[i].Verdict)
		}
		fmt.Fprintf(os.Stderr, "(%.1f s)\n", time.Since(started).Seconds())
	}
	return table
}

// one makes a measurement, and says so in every row of it when that is not
// possible.
func (b *bench) one(ctx context.Context, m measurement) []report.Outcome {
	instead := report.Outcome{Verdict: report.Skipped}
	if instead.Note = missing(m.needs); instead.Note == "" {
		limit := measurementLimit
		if m.compares {
			limit = time.Duration(b.rounds+1) * time.Minute // on a busy machine as well
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		outcomes, err := m.run(ctx, b)
		if err == nil {
			return outcomes
		}
		instead = report.Outcome{Verdict: report.Failed, Note: err.Error()}
	}
	outcomes := make([]report.Outcome, len(m.goals))
	for i := range outcomes {
		outcomes[i] = instead
	}
	return outcomes
}
