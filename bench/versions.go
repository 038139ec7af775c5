//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
)

const versionsName = "versions"

// What a version of the agent may cost compared with the one before.
const (
	versionMargin = 1.05
	streamTarget  = 0.5
	liveTurns     = 3 // runs of live traces in a round
)

// versions compares the agent with an earlier one (-before), in turn.
func versions() measurement {
	atMost, atLeast := fmt.Sprintf("≤ %.2f×", versionMargin), fmt.Sprintf("≥ %.2f×", 1/versionMargin)
	return measurement{
		name:     versionsName,
		compares: true,
		goals: []report.Goal{
			{What: "against an earlier agent (`-before`): 1,000 targets × 3 hops × 3 packets, 100 requests of 10 targets at once, rates lifted; traces a second", Target: atLeast},
			{What: "the same: CPU time per probe sent", Target: atMost},
			{What: "the same: allocations per trace", Target: atMost},
			{What: "start to ready", Target: atMost},
			{What: "memory of the idle agent (RSS)", Target: atMost},
			{What: "1,000 traces of 12 hops at 80 ms, 100 requests of `/v1/traces` at once, not streamed: CPU time of the agent", Target: atMost},
			{What: "the same, streamed as NDJSON: CPU time of the agent", Target: atMost},
			{What: "what streaming adds: the difference of the two", Target: fmt.Sprintf("≤ %.1f×", streamTarget)},
			{What: "the same, streamed: allocations per trace", Target: atMost},
		},
		run: func(ctx context.Context, b *bench) ([]report.Outcome, error) {
			var c comparison
			for round := range b.rounds + 1 {
				ours, err := b.measureVersion(ctx, b.agent)
				if err != nil {
					return nil, err
				}
				theirs, err := b.measureVersion(ctx, b.before)
				if err != nil {
					return nil, fmt.Errorf("the agent before: %w", err)
				}
				if round > 0 { // the first warms up
					c.add(ours, theirs)
				}
			}
			return c.outcomes(), nil
		},
	}
}

// version is what one program needed in one round.
type version struct {
	rate        float64 // traces a second
	cpuPerProbe float64 // µs
	allocations float64 // per trace
	start       float64 // ms
	idle        float64 // bytes
	whole       float64 // CPU time of 1,000 traces, ms
	streamed    float64
	streamAlloc float64 // allocations per streamed trace
}

type comparison struct{ rate, cpu, allocations, start, idle, whole, streamed, streaming, streamAlloc report.Pairs }

func (c *comparison) add(ours, theirs version) {
	c.rate = append(c.rate, report.Pair{Ours: ours.rate, Theirs: theirs.rate})
	c.cpu = append(c.cpu, report.Pair{Ours: ours.cpuPerProbe, Theirs: theirs.cpuPerProbe})
	c.allocations = append(c.allocations, report.Pair{Ours: ours.allocations, Theirs: theirs.allocations})
	c.start = append(c.start, report.Pair{Ours: ours.start, Theirs: theirs.start})
	c.idle = append(c.idle, report.Pair{Ours: ours.idle / mebibyte, Theirs: theirs.idle / mebibyte})
	c.whole = append(c.whole, report.Pair{Ours: ours.whole, Theirs: theirs.whole})
	c.streamed = append(c.streamed, report.Pair{Ours: ours.streamed, Theirs: theirs.streamed})
	c.streaming = append(c.streaming, report.Pair{Ours: ours.streamed - ours.whole, Theirs: theirs.streamed - theirs.whole})
	c.streamAlloc = append(c.streamAlloc, report.Pair{Ours: ours.streamAlloc, Theirs: theirs.streamAlloc})
}

func (c *comparison) outcomes() []report.Outcome {
	row := func(p report.Pairs, format string, met bool) report.Outcome {
		return report.Outcome{
			Ours: fmt.Sprintf(format, p.Ours()), Beside: fmt.Sprintf("before "+format, p.Theirs()),
			Ratio: fmt.Sprintf("%.2f×", p.Ratio()), Verdict: report.Judge(met),
		}
	}
	within := func(p report.Pairs) bool { return p.Ratio() <= versionMargin }
	return []report.Outcome{
		row(c.rate, "%.0f/s", c.rate.Ratio() >= 1/versionMargin),
		row(c.cpu, "%.2f µs", within(c.cpu)),
		row(c.allocations, "%.0f", within(c.allocations)),
		row(c.start, "%.1f ms", within(c.start)),
		row(c.idle, "%.1f MiB", within(c.idle)),
		row(c.whole, "%.0f ms", within(c.whole)),
		row(c.streamed, "%.0f ms", within(c.streamed)),
		// The median of differences, not of ratios: a difference may be near 0.
		row(c.streaming, "%.0f ms", c.streaming.Ours() <= streamTarget*c.streaming.Theirs()),
		row(c.streamAlloc, "%.0f", within(c.streamAlloc)),
	}
}

// measureVersion makes one round with one program.
func (b *bench) measureVersion(ctx context.Context, program string) (v version, err error) {
	one := *b
	one.agent = program
	flags := []string{"--rate", "0", "--near-hop-rate", "0"}
	err = lab(throughputRouters, scaled(b, 1000, 200), func(l *kernel.Lab) error {
		started := time.Now()
		return one.serve(ctx, l.Host, flags, func(a *agent) error {
			v.start = float64(time.Since(started)) / float64(time.Millisecond)
			return v.unstreamed(ctx, l, a)
		})
	})
	if err != nil {
		return v, err
	}
	_, err = onPath(ctx, pathManyTargets, func(node *kernel.Node) error {
		return one.serve(ctx, node, flags, func(a *agent) error {
			return v.live(ctx, a, scaled(b, 1000, 100))
		})
	})
	return v, err
}

// unstreamed measures traces of the lab's targets through Cloudflare's
// endpoint.
func (v *version) unstreamed(ctx context.Context, l *kernel.Lab, a *agent) error {
	time.Sleep(settleTime)
	idle, err := a.status("VmRSS")
	if err != nil {
		return err
	}
	v.idle = float64(idle)
	targets := l.Targets(false)
	if _, err := agentEffort(ctx, l, a, targets); err != nil { // fills caches and pools
		return err
	}
	before, err := a.allocations(ctx)
	if err != nil {
		return err
	}
	used, err := agentEffort(ctx, l, a, targets)
	if err != nil {
		return err
	}
	after, err := a.allocations(ctx)
	if err != nil {
		return err
	}
	v.rate, v.cpuPerProbe = used.tracesPerSecond(len(targets)), used.cpuPerProbe()
	v.allocations = (after - before) / float64(len(targets))
	return nil
}

// live measures traces through the native endpoint, streamed and not, in turn.
func (v *version) live(ctx context.Context, a *agent, traces int) error {
	targets := manyTargets(traces)
	for turn := range 1 + liveTurns {
		whole, err := a.nativeCPU(ctx, targets, false)
		if err != nil {
			return err
		}
		before, err := a.allocations(ctx)
		if err != nil {
			return err
		}
		streamed, err := a.nativeCPU(ctx, targets, true)
		if err != nil {
			return err
		}
		after, err := a.allocations(ctx)
		if err != nil {
			return err
		}
		if turn == 0 {
			continue // fills caches and pools
		}
		v.whole += whole / liveTurns
		v.streamed += streamed / liveTurns
		v.streamAlloc += (after - before) / float64(traces) / liveTurns
	}
	return nil
}

// nativeCPU returns the CPU time that the agent needs for 1,000 traces of its
// own API, in milliseconds.
func (a *agent) nativeCPU(ctx context.Context, targets []netip.Addr, live bool) (float64, error) {
	idle, err := a.cpu()
	if err != nil {
		return 0, err
	}
	if err := a.native(ctx, targets, live); err != nil {
		return 0, err
	}
	busy, err := a.cpu()
	if err != nil {
		return 0, err
	}
	if busy <= idle {
		return 0, errors.New("the agent's CPU clock stands still")
	}
	return float64(busy-idle) / float64(time.Millisecond) * 1000 / float64(len(targets)), nil
}

// manyTargets returns addresses of the network pathManyTargets.
func manyTargets(n int) []netip.Addr {
	targets := make([]netip.Addr, n)
	addr := pathTargets().Addr()
	for i := range targets {
		addr = addr.Next()
		targets[i] = addr
	}
	return targets
}
