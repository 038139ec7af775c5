//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"probe-agent/bench/peer"
	"probe-agent/bench/report"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// The load under which RTTs have to stay true.
const (
	loadRate = 20_000 // probes a second, of the engine
	// loadTraces is how many traces the engine runs at once: enough to keep
	// the rate although rounds are spaced.
	loadTraces = 500
	// leastLoad is the share of the rate that has to be reached.
	leastLoad = 0.8
)

// loadedAccuracy compares RTTs with those of a capture while the engine sends
// at a high rate, its heap is under pressure and all processors are busy.
func loadedAccuracy() measurement {
	return measurement{
		name:  "load",
		needs: []program{programTCPDump, programTraceroute},
		goals: []report.Goal{{
			What:   "the same while the engine sends 20,000 probes a second, with a goroutine a core allocating and all cores busy",
			Target: "p99 ≤ 100 µs",
		}},
		run: func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
			err = lab(accuracyRouters, accuracyTargets, func(l *kernel.Lab) error {
				outcomes, err = b.compareLoaded(ctx, l)
				return err
			})
			return outcomes, err
		},
	}
}

func (b *bench) compareLoaded(ctx context.Context, l *kernel.Lab) ([]report.Outcome, error) {
	peers := b.instruments()
	all := make(samples)
	var rates []float64
	targets := supply{l.Targets(false)}
	wire, err := b.recorded(ctx, l, func() error {
		for range b.rounds {
			readings, rate, err := underLoad(ctx, l, &targets, func() error {
				return all.collect(ctx, l.Host, peers, &targets)
			})
			if err != nil {
				return err
			}
			all[ours], rates = append(all[ours], readings), append(rates, rate)
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
	rate := report.Median(rates)
	agent := off[ours]
	return []report.Outcome{{
		Ours:    fmt.Sprintf("%s, at %s probes/s", agent, report.Count(rate)),
		Beside:  beside(peers, off),
		Ratio:   fmt.Sprintf("p99 %.3f× traceroute's", quotient(agent.p99(), off[string(programTraceroute)].p99())),
		Verdict: report.Judge(agent.p99() <= loadedP99 && rate >= leastLoad*loadRate),
	}}, nil
}

// underLoad calls beside while the load is on, and returns what the engine
// read meanwhile and how many probes a second it sent.
func underLoad(ctx context.Context, l *kernel.Lab, targets *supply, beside func() error) ([]peer.Reading, float64, error) {
	engine, err := engineIn(l, prober.Options{Rate: loadRate})
	if err != nil {
		return nil, 0, err
	}
	defer engine.Close()
	mine, err := targets.take(loadTraces)
	if err != nil {
		return nil, 0, err
	}
	var over atomic.Bool
	var running sync.WaitGroup
	for range runtime.NumCPU() {
		running.Go(func() { allocate(&over) })
	}
	journals := make([]journal, loadTraces)
	errs := make([]error, loadTraces)
	started := time.Now()
	for i, target := range mine {
		running.Go(func() { errs[i] = journals[i].keep(ctx, engine, target, &over) })
	}
	failed := beside()
	over.Store(true)
	running.Wait()
	rate := float64(engine.Totals().Sent) / time.Since(started).Seconds()
	if err := errors.Join(failed, errors.Join(errs...)); err != nil {
		return nil, 0, err
	}
	var readings []peer.Reading
	for _, j := range journals {
		readings = append(readings, j.readings...)
	}
	return readings, rate, nil
}

// keep traces a target again and again until it is over.
func (j *journal) keep(ctx context.Context, engine *prober.Engine, target netip.Addr, over *atomic.Bool) error {
	for !over.Load() {
		r, err := engine.Trace(ctx, traceroute.Spec{Target: target}, prober.Feed{})
		if err != nil {
			return err
		}
		j.add(r)
	}
	return nil
}

// allocateRun is how many objects are allocated before other goroutines get
// their turn: a busy server's goroutines are many and short, and one that
// kept a processor until the scheduler takes it, 10 ms, would only measure
// how the engine's rate suffers.
const allocateRun = 64

// allocate keeps a processor and the garbage collector busy: it replaces the
// objects of a heap of some 32 MiB, over and over.
func allocate(over *atomic.Bool) {
	type object struct {
		next *object
		_    [2 << 10]byte
	}
	heap := make([]*object, 16<<10)
	for i := 0; !over.Load(); i++ {
		if i%allocateRun == 0 {
			runtime.Gosched()
		}
		at := i * 7919 % len(heap)
		heap[at] = &object{next: heap[(at+1)%len(heap)]}
		if i%len(heap) == 0 {
			for _, o := range heap {
				if o != nil {
					o.next = nil // no chain that grows for ever
				}
			}
		}
	}
}
