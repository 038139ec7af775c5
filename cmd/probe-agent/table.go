package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"probe-agent/api"
	"probe-agent/prober"
	"probe-agent/stats"
)

// table renders a trace as lines of text: a heading, one line per node, and
// how it ended. A trace that still runs says so. What notes say of a node
// stands behind its numbers and labels.
func table(target string, r *prober.Result, notes map[netip.Addr]api.Annotation) []string {
	summary := prober.Summarise(r)
	silent := "NO RESPONSE"
	if r.Stop == prober.Running {
		silent = "…"
	}
	width := len("255.255.255.255")
	for _, hop := range summary.Hops {
		for _, node := range hop.Nodes {
			width = max(width, len(node.Addr.String()))
		}
	}
	lines := []string{
		heading(target, r),
		fmt.Sprintf("hop  %-*s  answers    min ms   mean ms    max ms    dev ms", width, "node"),
	}
	for _, hop := range summary.Hops {
		if len(hop.Nodes) == 0 {
			lines = append(lines, fmt.Sprintf("%3d  %-*s  %7s", hop.TTL, width, silent, fmt.Sprintf("0/%d", hop.Sent)))
		}
		for i, node := range hop.Nodes {
			number := ""
			if i == 0 {
				number = fmt.Sprint(hop.TTL)
			}
			line := fmt.Sprintf("%3s  %-*s  %7s  %s  %s", number, width, node.Addr,
				fmt.Sprintf("%d/%d", node.RTT.Count(), hop.Sent), times(node.RTT), strings.Join(remarks(node, notes[node.Addr]), " "))
			lines = append(lines, strings.TrimRight(line, " "))
		}
	}
	return append(lines, ending(r))
}

// remarks are the labels of a node, its AS number and its name.
func remarks(node prober.NodeSummary, note api.Annotation) []string {
	all := slices.Clone(node.Labels)
	if note.ASN != 0 {
		all = append(all, fmt.Sprintf("AS%d", note.ASN))
	}
	if note.Name != "" {
		all = append(all, note.Name)
	}
	return all
}

func heading(target string, r *prober.Result) string {
	if addr := r.Spec.Target.String(); addr != target {
		target += " (" + addr + ")"
	}
	return fmt.Sprintf("%s from %v: %v, %d packets per hop, %d hops at most",
		target, r.Source, r.Spec.Method, r.Spec.PacketsPerTTL, r.Spec.MaxTTL)
}

func ending(r *prober.Result) string {
	took := r.Duration.Round(time.Millisecond)
	switch r.Stop {
	case prober.Reached:
		return fmt.Sprintf("reached in %v", took)
	case prober.Blocked:
		return fmt.Sprintf("not reached: the path ends at an unreachable answer; %v", took)
	case prober.Exhausted:
		return fmt.Sprintf("not reached within %d hops; %v", r.Spec.MaxTTL, took)
	}
	return "running"
}

// times renders the four numbers of a node in milliseconds.
func times(r stats.RTT) string {
	ms := func(nanoseconds float64) float64 { return nanoseconds / float64(time.Millisecond) }
	return fmt.Sprintf("%8.3f  %8.3f  %8.3f  %8.3f", ms(float64(r.Min())), ms(r.Mean()), ms(float64(r.Max())), ms(r.StdDev()))
}
