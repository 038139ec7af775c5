//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"probe-agent/bench/peer"
	"probe-agent/bench/report"
	"probe-agent/internal/netsim"
	"probe-agent/internal/netsim/kernel"
)

const (
	pathPackets  = 3
	pathWait     = time.Second
	pathMaxTTL   = 30
	pathFraction = 1.6 // of the target's RTT
)

// walk is one trace of the path by one program.
type walk struct {
	wall time.Duration
	past int // packets sent past the target
}

// walks are those of all rounds.
type walks struct {
	seconds report.Pairs
	past    report.Pairs
}

// rtts returns a time as a multiple of the target's RTT.
func rtts(seconds float64) float64 { return seconds / pathRTT.Seconds() }

func answeringPath() measurement {
	return pathMeasurement("path", pathAnswering,
		report.Goal{
			What:   "12 hops, target at 80 ms, all answering, 3 packets: wall time (agent: of the HTTP request, rates as by default) ÷ 80 ms; packets past the target",
			Target: "≤ 1.6, not slower than traceroute, fewer packets past the target",
		},
		func(w walks) report.Outcome {
			return report.Outcome{
				Ours:   fmt.Sprintf("%.2f RTT, %.0f past", rtts(w.seconds.Ours()), w.past.Ours()),
				Beside: fmt.Sprintf("traceroute %.2f RTT, %.0f past", rtts(w.seconds.Theirs()), w.past.Theirs()),
				Ratio:  fmt.Sprintf("%.2f×", w.seconds.Ratio()),
				Verdict: report.Judge(rtts(w.seconds.Ours()) <= pathFraction && w.seconds.Ratio() <= 1 &&
					w.past.Ours() < w.past.Theirs()),
			}
		})
}

func silentHops() measurement {
	return pathMeasurement("silent", pathSilentHops,
		report.Goal{
			What:   "the same with 4 silent hops, `wait_time` 1 (traceroute `-w 1`)",
			Target: "≤ 1.08 s (wait + RTT), not slower than traceroute",
		},
		func(w walks) report.Outcome {
			o := waited(w)
			o.Verdict = report.Judge(w.seconds.Ours() <= (pathWait+pathRTT).Seconds() && w.seconds.Ratio() <= 1)
			return o
		})
}

func silentTarget() measurement {
	return pathMeasurement("blackhole", pathSilentTarget,
		report.Goal{
			What:   "the same with a silent target, `max_ttl` 30",
			Target: "≤ 1.08 s (wait + RTT)",
		},
		func(w walks) report.Outcome {
			o := waited(w)
			o.Verdict = report.Judge(w.seconds.Ours() <= (pathWait + pathRTT).Seconds())
			return o
		})
}

func waited(w walks) report.Outcome {
	return report.Outcome{
		Ours:   fmt.Sprintf("%.3f s", w.seconds.Ours()),
		Beside: fmt.Sprintf("traceroute %.3f s", w.seconds.Theirs()),
		Ratio:  fmt.Sprintf("%.2f×", w.seconds.Ratio()),
	}
}

// pathMeasurement traces a path in turn with the agent and traceroute(8), each
// time in a new network, and lets judge make an outcome of it.
func pathMeasurement(name string, kind pathKind, goal report.Goal, judge func(walks) report.Outcome) measurement {
	return measurement{
		name:  name,
		needs: []program{programTraceroute},
		goals: []report.Goal{goal},
		run: func(ctx context.Context, b *bench) ([]report.Outcome, error) {
			var all walks
			for range b.rounds {
				ours, err := b.agentWalk(ctx, kind)
				if err != nil {
					return nil, err
				}
				theirs, err := tracerouteWalk(ctx, kind)
				if err != nil {
					return nil, err
				}
				all.seconds = append(all.seconds, report.Pair{Ours: ours.wall.Seconds(), Theirs: theirs.wall.Seconds()})
				all.past = append(all.past, report.Pair{Ours: float64(ours.past), Theirs: float64(theirs.past)})
			}
			return []report.Outcome{judge(all)}, nil
		},
	}
}

// target returns the address at the end of the path.
func (k pathKind) target() (netip.Addr, error) {
	s, err := k.scenario()
	if err != nil {
		return netip.Addr{}, err
	}
	return s.Addresses()[0], nil
}

func (b *bench) agentWalk(ctx context.Context, kind pathKind) (w walk, err error) {
	target, err := kind.target()
	if err != nil {
		return w, err
	}
	var traces []traced
	counts, err := onPath(ctx, kind, func(node *kernel.Node) error {
		return b.serve(ctx, node, nil, func(a *agent) error {
			o := options{MaxTTL: pathMaxTTL, Packets: pathPackets, WaitTime: int(pathWait / time.Second)}
			traces, w.wall, err = a.trace(ctx, []netip.Addr{target}, o, 1)
			return err
		})
	})
	if err != nil {
		return w, err
	}
	w.past = past(counts)
	return w, kind.check(traces)
}

// check reports a trace that did not find the path as it is.
func (k pathKind) check(traces []traced) error {
	if len(traces) != 1 || len(traces[0].Colos) != 1 {
		return errors.New("not one trace")
	}
	hops := traces[0].Colos[0].Hops
	if k == pathAnswering {
		return traces[0].whole(pathHops, pathPackets)
	}
	lost := 0
	for _, h := range hops {
		lost += h.Lost
	}
	wantHops, wantLost := pathHops, 4*pathPackets
	if k == pathSilentTarget {
		wantHops, wantLost = pathMaxTTL, (pathMaxTTL-pathHops+1)*pathPackets
	}
	if len(hops) != wantHops || lost != wantLost {
		return fmt.Errorf("%d hops with %d packets lost, want %d and %d", len(hops), lost, wantHops, wantLost)
	}
	return nil
}

func tracerouteWalk(ctx context.Context, kind pathKind) (w walk, err error) {
	target, err := kind.target()
	if err != nil {
		return w, err
	}
	var counts netsim.Counts
	counts, err = onPath(ctx, kind, func(node *kernel.Node) error {
		arguments := []string{"-I", "-n", "-q", fmt.Sprint(pathPackets), "-m", fmt.Sprint(pathMaxTTL)}
		if kind != pathAnswering {
			arguments = append(arguments, "-w", fmt.Sprint(pathWait.Seconds()))
		}
		out, used, err := programTraceroute.run(ctx, node, append(arguments, target.String())...)
		if err != nil {
			return err
		}
		w.wall = used.wall
		readings, err := peer.Traceroute(out)
		if err == nil && len(readings) == 0 {
			err = errors.New("traceroute printed no hop")
		}
		return err
	})
	w.past = past(counts)
	return w, err
}
