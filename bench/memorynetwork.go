//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"probe-agent/bench/peer"
	"probe-agent/bench/report"
)

// memoryNetwork runs the engine's own benchmark on one processor, with a
// network in memory that answers at once.
func memoryNetwork() measurement {
	return measurement{
		name: "engine",
		goals: []report.Goal{{
			What:   "engine alone, in-memory network, one core (`go test -bench Engine -cpu 1 ./prober`); probes a second",
			Target: "≥ 500,000/s, 0 allocations a probe",
		}},
		run: func(ctx context.Context, b *bench) ([]report.Outcome, error) {
			var rates, allocations, nanoseconds []float64
			for range b.rounds {
				one, err := b.engineBenchmark(ctx)
				if err != nil {
					return nil, err
				}
				rates = append(rates, one["probes/s"])
				allocations = append(allocations, one["allocs/op"])
				nanoseconds = append(nanoseconds, one["ns/op"])
			}
			return []report.Outcome{{
				Ours:    fmt.Sprintf("%s/s (%.0f ns a probe), %.0f allocations", report.Count(report.Median(rates)), report.Median(nanoseconds), report.Median(allocations)),
				Verdict: report.Judge(report.Median(rates) >= 500_000 && report.Median(allocations) == 0),
			}}, nil
		},
	}
}

// engineBenchmark returns the values of one run by their units.
func (b *bench) engineBenchmark(ctx context.Context) (map[string]float64, error) {
	span := scaled(b, "1s", "500ms")
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkEngine$", "-benchmem",
		"-benchtime", span, "-cpu", "1", "probe-agent/prober").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("go test: %w\n%s", err, out)
	}
	benchmarks, err := peer.GoTest(string(out))
	if err != nil {
		return nil, err
	}
	for _, one := range benchmarks {
		if one.Name == "Engine" {
			return one.Values, nil
		}
	}
	return nil, errors.New("go test ran no BenchmarkEngine")
}
