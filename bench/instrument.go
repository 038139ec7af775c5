//go:build linux

package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"

	"probe-agent/bench/peer"
	"probe-agent/internal/netsim/kernel"
)

// instrument is a peer as something that measures RTTs.
type instrument struct {
	program program
	targets int // to trace in one round
	trace   func(context.Context, *kernel.Node, []netip.Addr) ([]peer.Reading, error)
}

func (i instrument) name() string { return string(i.program) }

// instruments returns the peers that are installed. Each asks for some
// hundred probes a round, so that a p99 means something.
func (b *bench) instruments() []instrument {
	all := []instrument{
		{programTraceroute, scaled(b, 40, 10), tracerouteReadings},
		{programMTR, scaled(b, 5, 2), mtrReadings},
		{programScamper, scaled(b, 40, 10), scamperReadings},
	}
	return slices.DeleteFunc(all, func(i instrument) bool { return missing([]program{i.program}) != "" })
}

func tracerouteReadings(ctx context.Context, node *kernel.Node, targets []netip.Addr) ([]peer.Reading, error) {
	var all []peer.Reading
	for _, target := range targets {
		out, _, err := programTraceroute.run(ctx, node, "-I", "-n", "-w", "1", target.String())
		if err != nil {
			return nil, err
		}
		readings, err := peer.Traceroute(out)
		if err != nil {
			return nil, err
		}
		all = append(all, readings...)
	}
	return all, nil
}

// mtrCycles is how often mtr probes each hop.
const mtrCycles = 20

func mtrReadings(ctx context.Context, node *kernel.Node, targets []netip.Addr) ([]peer.Reading, error) {
	var all []peer.Reading
	for _, target := range targets {
		out, _, err := programMTR.run(ctx, node, "-n", "--raw", "-c", fmt.Sprint(mtrCycles), "-i", "0.02", "-G", "0.1", target.String())
		if err != nil {
			return nil, err
		}
		readings, err := peer.MTR(out, target)
		if err != nil {
			return nil, err
		}
		all = append(all, readings...)
	}
	return all, nil
}

func scamperReadings(ctx context.Context, node *kernel.Node, targets []netip.Addr) ([]peer.Reading, error) {
	arguments := []string{"-p", "10000", "-w", "1", "-O", "json", "-c", "trace -P icmp-paris -q 3 -Q", "-i"}
	for _, target := range targets {
		arguments = append(arguments, target.String())
	}
	out, _, err := programScamper.run(ctx, node, arguments...)
	if err != nil {
		return nil, err
	}
	traces, err := peer.Scamper(out)
	if err != nil {
		return nil, err
	}
	var all []peer.Reading
	for _, t := range traces {
		all = append(all, t.Readings...)
	}
	return all, nil
}
