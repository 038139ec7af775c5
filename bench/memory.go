//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

const (
	mebibyte = 1 << 20
	// crowd is how many traces to a blackhole run at once.
	crowd = 1000
	// inFlightTraces is how many of them are measured in process: few enough
	// for all their probes to be sent before the first wait is over.
	inFlightTraces = 300
	// settleTime is how long an idle agent is left alone before its memory is
	// looked at.
	settleTime = time.Second
)

// memory measures what the agent takes up, idle and with as many probes out
// as can be.
func memory() measurement {
	return measurement{
		name: "memory",
		goals: []report.Goal{
			{What: "memory of the idle agent (RSS)", Target: "≤ 30 MiB"},
			{What: "peak memory (RSS) with 1,000 traces at once of 64 TTLs × 10 packets to a blackhole, through the API, rates lifted", Target: "≤ 128 MiB"},
			{What: "heap and stacks per probe in flight, engine in process", Target: "≤ 100 bytes"},
		},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			topology := kernel.Chain(1)
			topology.Routers[0].Blackhole = true
			topology.Target.Addresses = crowd
			err = labOf(topology, func(l *kernel.Lab) error {
				err := b.serve(ctx, l.Host, []string{"--rate", "0", "--near-hop-rate", "0"}, func(a *agent) error {
					outcomes, err = b.processMemory(ctx, l, a)
					return err
				})
				if err != nil {
					return err
				}
				perProbe, err := heapPerProbe(ctx, l)
				outcomes = append(outcomes, report.Outcome{
					Ours:    fmt.Sprintf("%.0f bytes", perProbe),
					Verdict: report.Judge(perProbe <= 100),
				})
				return err
			})
			return outcomes, err
		},
	}
}

func (b *bench) processMemory(ctx context.Context, l *kernel.Lab, a *agent) ([]report.Outcome, error) {
	time.Sleep(settleTime)
	idle, err := a.status("VmRSS")
	if err != nil {
		return nil, err
	}
	targets := l.Targets(false)[:scaled(b, crowd, crowd/10)]
	o := options{MaxTTL: traceroute.MaxTTLLimit, Packets: traceroute.PacketsPerTTLLimit, WaitTime: 5}
	traces, took, err := a.trace(ctx, targets, o, len(targets)/targetsPerRequest)
	if err != nil {
		return nil, err
	}
	for _, t := range traces {
		if len(t.Colos) != 1 || t.Colos[0].Error != "" || len(t.Colos[0].Hops) != traceroute.MaxTTLLimit {
			return nil, fmt.Errorf("not a trace of %d TTLs: %+v", traceroute.MaxTTLLimit, t)
		}
	}
	peak, err := a.status("VmHWM")
	if err != nil {
		return nil, err
	}
	return []report.Outcome{
		{Ours: fmt.Sprintf("%.0f MiB", float64(idle)/mebibyte), Verdict: report.Judge(idle <= 30*mebibyte)},
		{
			Ours:    fmt.Sprintf("%.0f MiB, %d traces in %.1f s", float64(peak)/mebibyte, len(traces), took.Seconds()),
			Verdict: report.Judge(peak <= 128*mebibyte),
		},
	}, nil
}

// heapPerProbe has traces send all their probes into the blackhole and then
// looks at how much larger heap and stacks are than before.
func heapPerProbe(ctx context.Context, l *kernel.Lab) (bytes float64, err error) {
	engine, err := engineIn(l, prober.Options{})
	if err != nil {
		return 0, err
	}
	defer engine.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	before := live()
	var running sync.WaitGroup
	errs := make(chan error, inFlightTraces)
	for _, target := range l.Targets(false)[:inFlightTraces] {
		running.Go(func() { errs <- traceIntoBlackhole(ctx, engine, target) })
	}
	unanswered := inFlightTraces * uint64(traceroute.MaxTTLLimit-1) * traceroute.PacketsPerTTLLimit
	flying, err := sentInTime(engine, unanswered)
	after := live()
	cancel()
	running.Wait()
	if err != nil {
		return 0, errors.Join(err, <-errs)
	}
	return (after - before) / float64(flying), nil
}

func traceIntoBlackhole(ctx context.Context, engine *prober.Engine, target netip.Addr) error {
	_, err := engine.Trace(ctx, traceroute.Spec{
		Target: target, MaxTTL: traceroute.MaxTTLLimit, PacketsPerTTL: traceroute.PacketsPerTTLLimit, Wait: traceroute.MaxWait,
	}, prober.Feed{})
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// sentInTime waits until that many probes are out without an answer, before
// the first of them can have had its wait, and returns their number.
func sentInTime(engine *prober.Engine, wanted uint64) (uint64, error) {
	deadline := time.Now().Add(traceroute.MaxWait)
	for {
		total := engine.Totals()
		if flying := total.Sent - total.Matched; flying >= wanted {
			return flying, nil
		}
		if time.Now().After(deadline) {
			return 0, fmt.Errorf("only %d of %d probes were out in time", total.Sent-total.Matched, wanted)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// live returns the bytes that heap and stacks of this process take up.
func live() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
