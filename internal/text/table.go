package text

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"probe-agent/lookup"
	"probe-agent/prober"
	"probe-agent/stats"
)

// Table renders a trace: a heading, a line per node, and how it ended. A trace
// that still runs says so. What notes say of a node stands behind its numbers
// and labels.
func Table(target string, r *prober.Result, notes map[netip.Addr]lookup.Annotation) []Line {
	lines := nodes(prober.Summarise(r), r.Limited, r.Stop == prober.Running, notes)
	return append(append([]Line{heading(target, r)}, lines...), ending(r, r.Limited))
}

// nodes renders the hops of a trace, that may be running, under their titles.
// Hops in limited are marked: their loss is a limit of the node.
func nodes(s prober.Summary, limited []uint8, running bool, notes map[netip.Addr]lookup.Annotation) []Line {
	width := len("255.255.255.255")
	for _, hop := range s.Hops {
		for _, node := range hop.Nodes {
			width = max(width, len(address(node)))
		}
	}
	lines := []Line{{{
		Text:  fmt.Sprintf("hop   loss  %-*s  answers    min ms   mean ms    max ms    dev ms", width, "node"),
		Style: Strong,
	}}}
	for _, hop := range s.Hops {
		isLimited := slices.Contains(limited, hop.TTL)
		front := loss(hop, isLimited, running)
		if len(hop.Nodes) == 0 {
			silent := Span{Text: fmt.Sprintf("  %-*s", width, "NO RESPONSE"), Style: Dim}
			if running {
				silent.Text = fmt.Sprintf("  %-*s", width, "…")
			}
			lines = append(lines, Line{{Text: fmt.Sprintf("%3d  ", hop.TTL)}, front, silent, {Text: fmt.Sprintf("  %7s", fmt.Sprintf("0/%d", hop.Sent))}})
		}
		for i, node := range hop.Nodes {
			line := Line{{Text: fmt.Sprintf("%3d  ", hop.TTL)}, front}
			if i > 0 {
				line = Line{{Text: "          "}}
			}
			lines = append(lines, append(line,
				Span{Text: fmt.Sprintf("  %-*s  %7s  %s", width, address(node), fmt.Sprintf("%d/%d", node.RTT.Count(), hop.Sent), times(node.RTT))},
				remarks(node, isLimited && !running && i == 0, notes[node.Addr])))
		}
	}
	return lines
}

// loss is a hop's share of unanswered packets. While a trace runs, most of
// what has no answer yet is only on its way.
func loss(hop prober.HopSummary, limited, running bool) Span {
	share := Span{Text: fmt.Sprintf("%4.0f%%", 100*float64(hop.Lost)/float64(max(1, hop.Sent)))}
	switch {
	case running:
		return Span{Text: "     "}
	case hop.Lost == hop.Sent:
		share.Style = Bad
	case limited:
		share.Style = Dim
	case hop.Lost > 0:
		share.Style = Poor
	}
	return share
}

// address is how a node is named in the first column.
func address(node prober.NodeSummary) string {
	if !node.Addr.IsValid() {
		return "REDACTED"
	}
	return node.Addr.String()
}

// remarks are the labels of a node, whether its hop's loss is a limit, its AS
// number and its name.
func remarks(node prober.NodeSummary, limited bool, note lookup.Annotation) Span {
	all := slices.Clone(node.Labels)
	if limited {
		all = append(all, "limited")
	}
	if note.ASN != 0 {
		all = append(all, fmt.Sprintf("AS%d", note.ASN))
	}
	if note.Name != "" {
		all = append(all, note.Name)
	}
	if len(all) == 0 {
		return Span{}
	}
	span := Span{Text: "  " + strings.Join(all, " ")}
	if strings.Contains(span.Text, "  !") {
		span.Style = Bad
	}
	return span
}

func heading(target string, r *prober.Result) Line {
	if addr := r.Spec.Target.String(); addr != target {
		target += " (" + addr + ")"
	}
	return plain(fmt.Sprintf("%s from %v: %v, %d packets per hop, %d hops at most",
		target, r.Source, r.Spec.Method, r.Spec.PacketsPerTTL, r.Spec.MaxTTL))
}

// ending says how the trace ended, and at which TTLs loss is a limit.
func ending(r *prober.Result, limited []uint8) Line {
	took := r.Duration.Round(time.Millisecond)
	var line Line
	switch r.Stop {
	case prober.Reached:
		line = Line{{Text: "reached", Style: Good}, {Text: fmt.Sprintf(" in %v", took)}}
	case prober.Blocked:
		line = Line{{Text: "not reached", Style: Bad}, {Text: fmt.Sprintf(": the path ends at an unreachable answer; %v", took)}}
	case prober.Exhausted:
		line = Line{{Text: "not reached", Style: Bad}, {Text: fmt.Sprintf(" within %d hops; %v", r.Spec.MaxTTL, took)}}
	default:
		return plain("running")
	}
	if len(limited) > 0 {
		ttls := make([]string, len(limited))
		for i, ttl := range limited {
			ttls[i] = fmt.Sprint(ttl)
		}
		line = append(line, Span{Text: "; loss at TTL " + strings.Join(ttls, ", ") + " is a limit on ICMP errors, not loss of the path"})
	}
	return line
}

// times renders the four numbers of a node in milliseconds.
func times(r stats.RTT) string {
	ms := func(nanoseconds float64) float64 { return nanoseconds / float64(time.Millisecond) }
	return fmt.Sprintf("%8.3f  %8.3f  %8.3f  %8.3f", ms(float64(r.Min())), ms(r.Mean()), ms(float64(r.Max())), ms(r.StdDev()))
}
