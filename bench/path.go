//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
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
	pastFraction = 1.5 // of traceroute's packets past the target
	// pathPatience is how long a reply from beyond the last is waited for, and
	// what timers and requests take.
	pathPatience = 330 * time.Millisecond
	// pathSlack is what the agent may take longer than traceroute.
	pathSlack = 2 * time.Millisecond
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
			Target: "≤ 1.6, not slower than traceroute, at most 1.5 times its packets past the target",
		},
		func(w walks) report.Outcome {
			return report.Outcome{
				Ours:   fmt.Sprintf("%.2f RTT, %.0f past", rtts(w.seconds.Ours()), w.past.Ours()),
				Beside: fmt.Sprintf("traceroute %.2f RTT, %.0f past", rtts(w.seconds.Theirs()), w.past.Theirs()),
				Ratio:  fmt.Sprintf("%.2f×", w.seconds.Ratio()),
				Verdict: report.Judge(rtts(w.seconds.Ours()) <= pathFraction && w.seconds.Ratio() <= 1 &&
					w.past.Ours() <= pastFraction*w.past.Theirs()),
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
			Target: "≤ 1.41 s (wait + RTT + 0.32 s, ADR 2)",
		},
		func(w walks) report.Outcome {
			o := waited(w)
			o.Verdict = report.Judge(w.seconds.Ours() <= (pathWait + pathRTT + pathPatience).Seconds())
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

// tracerouteOptions are those for the packet types that both programs have.
// traceroute can send GRE's protocol number (-P 47), one probe at a time; that
// is no comparison.
var tracerouteOptions = map[string][]string{"icmp": {"-I"}, "tcp": {"-T"}, "udp": {"-U", "-p", "33434"}}

// pathLengths traces paths of different lengths with each packet type.
func pathLengths() measurement {
	m := measurement{name: "lengths", needs: []program{programTraceroute}}
	lengths := []int{2, 5, 8, 12, 20}
	for _, hops := range lengths {
		m.goals = append(m.goals, report.Goal{
			What:   fmt.Sprintf("%d hops, target at 100 ms, all answering, 3 packets, for each packet type: wall time; packets past the target", hops),
			Target: "at most 2 ms later than traceroute, at most 1.5 times its packets past the target",
		})
	}
	m.run = func(ctx context.Context, b *bench) (outcomes []report.Outcome, err error) {
		for _, hops := range lengths {
			kind := pathKind(fmt.Sprint(answeringPrefix, hops))
			var ours, theirs, ratios []string
			met := true
			for _, packetType := range slices.Sorted(maps.Keys(tracerouteOptions)) {
				w, err := b.walkInTurn(ctx, kind, packetType)
				if err != nil {
					return nil, fmt.Errorf("%d hops, %s: %w", hops, packetType, err)
				}
				ours = append(ours, fmt.Sprintf("%s %.0f ms, %.0f past", packetType, 1000*w.seconds.Ours(), w.past.Ours()))
				theirs = append(theirs, fmt.Sprintf("%.0f ms, %.0f past", 1000*w.seconds.Theirs(), w.past.Theirs()))
				ratios = append(ratios, fmt.Sprintf("%.2f×", w.seconds.Ratio()))
				met = met && w.seconds.Ours() <= w.seconds.Theirs()+pathSlack.Seconds() && w.past.Ours() <= pastFraction*w.past.Theirs()
			}
			outcomes = append(outcomes, report.Outcome{
				Ours: strings.Join(ours, "; "), Beside: "traceroute " + strings.Join(theirs, "; "),
				Ratio: strings.Join(ratios, " "), Verdict: report.Judge(met),
			})
		}
		return outcomes, nil
	}
	return m
}

// pathMeasurement traces a path in turn with the agent and traceroute(8), each
// time in a new network, and lets judge make an outcome of it.
func pathMeasurement(name string, kind pathKind, goal report.Goal, judge func(walks) report.Outcome) measurement {
	return measurement{
		name:  name,
		needs: []program{programTraceroute},
		goals: []report.Goal{goal},
		run: func(ctx context.Context, b *bench) ([]report.Outcome, error) {
			all, err := b.walkInTurn(ctx, kind, "icmp")
			if err != nil {
				return nil, err
			}
			return []report.Outcome{judge(all)}, nil
		},
	}
}

// walkInTurn traces the path with both programs, round after round.
func (b *bench) walkInTurn(ctx context.Context, kind pathKind, packetType string) (all walks, err error) {
	for range b.rounds {
		ours, err := b.agentWalk(ctx, kind, packetType)
		if err != nil {
			return all, err
		}
		theirs, err := tracerouteWalk(ctx, kind, packetType)
		if err != nil {
			return all, err
		}
		all.seconds = append(all.seconds, report.Pair{Ours: ours.wall.Seconds(), Theirs: theirs.wall.Seconds()})
		all.past = append(all.past, report.Pair{Ours: float64(ours.past), Theirs: float64(theirs.past)})
	}
	return all, nil
}

// target returns the address at the end of the path.
func (k pathKind) target() (netip.Addr, error) {
	s, err := k.scenario()
	if err != nil {
		return netip.Addr{}, err
	}
	return s.Addresses()[0], nil
}

func (b *bench) agentWalk(ctx context.Context, kind pathKind, packetType string) (w walk, err error) {
	target, err := kind.target()
	if err != nil {
		return w, err
	}
	var traces []traced
	counts, err := onPath(ctx, kind, func(node *kernel.Node) error {
		return b.serve(ctx, node, nil, func(a *agent) error {
			o := options{MaxTTL: pathMaxTTL, Packets: pathPackets, WaitTime: int(pathWait / time.Second), PacketType: packetType}
			traces, w.wall, err = a.trace(ctx, []netip.Addr{target}, o, 1)
			return err
		})
	})
	if err != nil {
		return w, err
	}
	w.past = kind.past(counts)
	return w, kind.check(traces)
}

// check reports a trace that did not find the path as it is.
func (k pathKind) check(traces []traced) error {
	if len(traces) != 1 || len(traces[0].Colos) != 1 {
		return errors.New("not one trace")
	}
	hops := traces[0].Colos[0].Hops
	if k != pathSilentHops && k != pathSilentTarget {
		return traces[0].whole(k.length(), pathPackets)
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

func tracerouteWalk(ctx context.Context, kind pathKind, packetType string) (w walk, err error) {
	target, err := kind.target()
	if err != nil {
		return w, err
	}
	var counts netsim.Counts
	counts, err = onPath(ctx, kind, func(node *kernel.Node) error {
		arguments := []string{"-n", "-q", fmt.Sprint(pathPackets), "-m", fmt.Sprint(pathMaxTTL)}
		arguments = append(arguments, tracerouteOptions[packetType]...)
		if kind == pathSilentHops || kind == pathSilentTarget {
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
	w.past = kind.past(counts)
	return w, err
}
