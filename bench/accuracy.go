//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"probe-agent/bench/peer"
	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

const (
	accuracyRouters = 5
	accuracyTargets = 16_000
	ours            = "agent" // in samples
)

// Bounds of the deviation from the capture.
const (
	idleMedian = 3 * time.Microsecond
	idleP99    = 12 * time.Microsecond
	loadedP99  = 100 * time.Microsecond
)

// idleAccuracy compares RTTs with those of a capture, of programs that have
// nothing else to do.
func idleAccuracy() measurement {
	return measurement{
		name:  "accuracy",
		needs: []program{programTCPDump, programTraceroute},
		goals: []report.Goal{{
			What:   "RTT against the clock of tcpdump on the first link, per probe, agent idle: median and p99 of the difference",
			Target: "median ≤ 3 µs, p99 ≤ 12 µs, neither worse than traceroute's",
		}},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			err = lab(accuracyRouters, accuracyTargets, func(l *kernel.Lab) error {
				outcomes, err = b.compareIdle(ctx, l)
				return err
			})
			return outcomes, err
		},
	}
}

func (b *bench) compareIdle(ctx context.Context, l *kernel.Lab) ([]report.Outcome, error) {
	engine, err := engineIn(l, prober.Options{Rate: prober.DefaultRate, NearHopRate: prober.DefaultNearHopRate})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	peers := b.instruments()
	all := make(samples)
	targets := supply{l.Targets(false)}
	wire, err := b.recorded(ctx, l, func() error {
		for range b.rounds {
			mine, err := targets.take(scaled(b, 40, 10))
			if err != nil {
				return err
			}
			readings, err := engineReadings(ctx, engine, mine)
			if err != nil {
				return err
			}
			all[ours] = append(all[ours], readings)
			if err := all.collect(ctx, l.Host, peers, &targets); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	off, err := all.deviations(wire)
	if err != nil {
		return nil, err
	}
	agent, theirs := off[ours], off[string(programTraceroute)]
	return []report.Outcome{{
		Ours:   agent.String(),
		Beside: beside(peers, off),
		Ratio:  fmt.Sprintf("%.2f×, p99 %.2f×", quotient(agent.median(), theirs.median()), quotient(agent.p99(), theirs.p99())),
		Verdict: report.Judge(agent.median() <= min(idleMedian, theirs.median()) &&
			agent.p99() <= min(idleP99, theirs.p99())),
	}}, nil
}

func quotient(a, b time.Duration) float64 { return float64(a) / float64(b) }

// collect has every peer trace targets of its own.
func (s samples) collect(ctx context.Context, node *kernel.Node, peers []instrument, targets *supply) error {
	for _, p := range peers {
		some, err := targets.take(p.targets)
		if err != nil {
			return err
		}
		readings, err := p.trace(ctx, node, some)
		if err != nil {
			return err
		}
		s[p.name()] = append(s[p.name()], readings)
	}
	return nil
}

// engineReadings traces targets one after the other.
func engineReadings(ctx context.Context, engine *prober.Engine, targets []netip.Addr) ([]peer.Reading, error) {
	var j journal
	for _, target := range targets {
		r, err := engine.Trace(ctx, traceroute.Spec{Target: target}, prober.Feed{})
		if err != nil {
			return nil, err
		}
		j.add(r)
	}
	return j.readings, nil
}
