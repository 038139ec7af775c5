package text

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"probe-agent/stats"
	"probe-agent/traceroute"
)

// Table renders a trace: a heading, a line per node, and how it ended. What notes
// say of a node stands behind its numbers and labels.
func Table(target string, r *traceroute.Result, notes traceroute.Notes) []Line {
	return append(append([]Line{heading(target, r)}, nodes(stats.Summarize(r), false, notes)...), ending(r, r.Limited))
}

// Waiting renders a trace of which nothing is known yet.
func Waiting(target string) []Line { return []Line{plain(target + ": …")} }

// Running renders a trace that has not ended, of which these hops are known.
func Running(target string, spec traceroute.Spec, hops []traceroute.Hop) []Line {
	lines := append([]Line{plain(target + ": " + method(spec))}, nodes(traceroute.Summary{Hops: hops}, true, nil)...)
	return append(lines, plain("running"))
}

// nodes renders the hops of a trace, that may be running, under their titles.
// Limited hops are marked: their loss is a limit of the node.
func nodes(s traceroute.Summary, running bool, notes traceroute.Notes) []Line {
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
		front := loss(hop, running)
		if len(hop.Nodes) == 0 {
			silent := Span{Text: fmt.Sprintf("  %-*s", width, traceroute.NoResponse), Style: Dim}
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
				Span{Text: fmt.Sprintf("  %-*s  %7s  %s", width, address(node), fmt.Sprintf("%d/%d", node.Count, hop.Sent), times(node.RTT))},
				remarks(node, hop.Limited && !running && i == 0, notes[node.Addr])))
		}
	}
	return lines
}

// loss is a hop's share of unanswered packets. While a trace runs, most of
// what has no answer yet is only on its way.
func loss(hop traceroute.Hop, running bool) Span {
	share := Span{Text: fmt.Sprintf("%4.0f%%", 100*float64(hop.Lost)/float64(max(1, hop.Sent)))}
	switch {
	case running:
		return Span{Text: "     "}
	case hop.Lost == hop.Sent:
		share.Style = Bad
	case hop.Limited:
		share.Style = Dim
	case hop.Lost > 0:
		share.Style = Poor
	}
	return share
}

// address is how a node is named in the first column.
func address(node traceroute.Node) string { return traceroute.Note{}.NameOf(node.Addr) }

// remarks are the labels of a node, whether its hop's loss is a limit, its AS
// number and its name.
func remarks(node traceroute.Node, limited bool, note traceroute.Note) Span {
	all := slices.Clone(node.Labels)
	if limited {
		all = append(all, "limited")
	}
	if note.ASN != 0 {
		all = append(all, note.ASN.String())
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

func heading(target string, r *traceroute.Result) Line {
	if addr := r.Spec.Target.String(); addr != target {
		target += " (" + addr + ")"
	}
	return plain(fmt.Sprintf("%s from %v: %s", target, r.Source, method(r.Spec)))
}

// method says how a trace probes.
func method(spec traceroute.Spec) string {
	return fmt.Sprintf("%v, %d packets per hop, %d hops at most", spec.Method, spec.PacketsPerTTL, spec.MaxTTL)
}

// ending says how the trace ended, and at which TTLs loss is a limit.
func ending(r *traceroute.Result, limited []uint8) Line {
	took := r.Duration.Round(time.Millisecond)
	var line Line
	switch r.Stop {
	case traceroute.Reached:
		line = Line{{Text: "reached", Style: Good}, {Text: fmt.Sprintf(" in %v", took)}}
	case traceroute.Blocked:
		line = Line{{Text: "not reached", Style: Bad}, {Text: fmt.Sprintf(": the path ends at an unreachable answer; %v", took)}}
	default:
		line = Line{{Text: "not reached", Style: Bad}, {Text: fmt.Sprintf(" within %d hops; %v", r.Spec.MaxTTL, took)}}
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
func times(r traceroute.RTT) string {
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	return fmt.Sprintf("%8.3f  %8.3f  %8.3f  %8.3f", ms(r.Min), ms(r.Mean), ms(r.Max), ms(r.StdDev))
}
