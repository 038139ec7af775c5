//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
)

// What is traced for throughput: a path of two routers and a target.
const (
	throughputRouters = 2
	throughputPackets = 3
	throughputProbes  = (throughputRouters + 1) * throughputPackets // per target, at least
)

// throughput compares whole runs over many targets with scamper: the time
// they take and the CPU time of the process.
func throughput() measurement {
	return measurement{
		name:  "throughput",
		needs: []program{programScamper},
		goals: []report.Goal{
			{
				What: "1,000 targets × 3 hops × 3 packets: agent through its API (100 requests of 10 targets at once, rates lifted), " +
					"`scamper -p 10000 -w 10000`, `icmp-paris -q 3 -Q`; traces a second",
				Target: "≥ 5×",
			},
			{What: "the same: CPU time of the process, user and system, per probe sent", Target: "≤ 1×"},
		},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			targets := scaled(b, 1000, 200)
			err = lab(throughputRouters, targets, func(l *kernel.Lab) error {
				return b.serve(ctx, l.Host, []string{"--rate", "0", "--near-hop-rate", "0"}, func(a *agent) error {
					outcomes, err = b.compareThroughput(ctx, l, a)
					return err
				})
			})
			return outcomes, err
		},
	}
}

// effort is what one program needed for all targets.
type effort struct {
	wall, cpu time.Duration
	probes    int64
}

func (e effort) tracesPerSecond(targets int) float64 { return float64(targets) / e.wall.Seconds() }

// cpuPerProbe is in microseconds.
func (e effort) cpuPerProbe() float64 {
	return float64(e.cpu) / float64(time.Microsecond) / float64(e.probes)
}

func (b *bench) compareThroughput(ctx context.Context, l *kernel.Lab, a *agent) ([]report.Outcome, error) {
	targets := l.Targets(false)
	list := filepath.Join(b.dir, "targets")
	if err := os.WriteFile(list, addressLines(targets), 0o644); err != nil {
		return nil, err
	}
	var traces, cpu report.Pairs
	for round := range b.rounds + 1 {
		theirs, err := scamperEffort(ctx, l, list, len(targets))
		if err != nil {
			return nil, err
		}
		ours, err := agentEffort(ctx, l, a, targets)
		if err != nil {
			return nil, err
		}
		if round == 0 {
			continue // warms both up
		}
		traces = append(traces, report.Pair{Ours: ours.tracesPerSecond(len(targets)), Theirs: theirs.tracesPerSecond(len(targets))})
		cpu = append(cpu, report.Pair{Ours: ours.cpuPerProbe(), Theirs: theirs.cpuPerProbe()})
	}
	return []report.Outcome{
		{
			Ours:    report.Count(traces.Ours()) + "/s",
			Beside:  "scamper " + report.Count(traces.Theirs()) + "/s",
			Ratio:   fmt.Sprintf("%.2f×", traces.Ratio()),
			Verdict: report.Judge(traces.Ratio() >= 5),
		},
		{
			Ours:    fmt.Sprintf("%.1f µs", cpu.Ours()),
			Beside:  fmt.Sprintf("scamper %.1f µs", cpu.Theirs()),
			Ratio:   fmt.Sprintf("%.2f×", cpu.Ratio()),
			Verdict: report.Judge(cpu.Ratio() <= 1),
		},
	}, nil
}

func addressLines(addrs []netip.Addr) []byte {
	var b strings.Builder
	for _, a := range addrs {
		fmt.Fprintln(&b, a)
	}
	return []byte(b.String())
}

// scamperEffort has scamper trace the targets in a list, in its leanest form
// of output.
func scamperEffort(ctx context.Context, l *kernel.Lab, list string, targets int) (effort, error) {
	before, err := count(l)
	if err != nil {
		return effort{}, err
	}
	_, used, err := programScamper.run(ctx, l.Host, "-p", "10000", "-w", "10000", "-O", "warts", "-o", os.DevNull,
		"-c", fmt.Sprintf("trace -P icmp-paris -q %d -Q", throughputPackets), "-f", list)
	if err != nil {
		return effort{}, err
	}
	return effortOf("scamper", l, before, used, targets)
}

func agentEffort(ctx context.Context, l *kernel.Lab, a *agent, targets []netip.Addr) (effort, error) {
	before, err := count(l)
	if err != nil {
		return effort{}, err
	}
	idle, err := a.cpu()
	if err != nil {
		return effort{}, err
	}
	traces, took, err := a.trace(ctx, targets, options{Packets: throughputPackets}, len(targets)/targetsPerRequest)
	if err != nil {
		return effort{}, err
	}
	busy, err := a.cpu()
	if err != nil {
		return effort{}, err
	}
	for _, t := range traces {
		if err := t.whole(throughputRouters+1, throughputPackets); err != nil {
			return effort{}, err
		}
	}
	return effortOf("the agent", l, before, usage{wall: took, cpu: busy - idle}, len(traces))
}

// effortOf takes the number of probes from the interface, so that both
// programs are counted alike, and refuses a run that was not complete.
func effortOf(who string, l *kernel.Lab, before packets, used usage, targets int) (effort, error) {
	after, err := count(l)
	if err != nil {
		return effort{}, err
	}
	crossed := after.since(before)
	if wanted := int64(targets * throughputProbes); crossed.sent < wanted || crossed.received < wanted {
		return effort{}, fmt.Errorf("%s sent %d probes and got %d answers, %d at least make %d traces",
			who, crossed.sent, crossed.received, wanted, targets)
	}
	return effort{wall: used.wall, cpu: used.cpu, probes: crossed.sent}, nil
}
