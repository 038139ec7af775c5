package text

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"probe-agent/stats"
	"probe-agent/traceroute"
)

// CSV writes traces as comma-separated values (RFC 4180, but with bare line
// feeds), a row for each node of each hop. Not safe for concurrent use.
type CSV struct {
	w      *csv.Writer
	titled bool
}

// NewCSV returns a writer to w. The row of titles comes with the first trace.
func NewCSV(w io.Writer) *CSV { return &CSV{w: csv.NewWriter(w)} }

// columns are the titles, in their order.
func columns() []string {
	return []string{
		"round", "target", "address", "stop", "ttl", "sent", "lost", "node", "asn", "name", "labels",
		"answers", "min_ms", "mean_ms", "max_ms", "std_dev_ms",
	}
}

// Trace writes one trace, the given round of its target. A silent hop has a row
// with an empty node. The error is the writer's.
func (c *CSV) Trace(round int, target string, r *traceroute.Result, notes traceroute.Notes) error {
	if !c.titled {
		c.titled = true
		if err := c.w.Write(columns()); err != nil {
			return fmt.Errorf("text: %w", err)
		}
	}
	for _, hop := range stats.Summarize(r).Hops {
		front := []string{
			strconv.Itoa(round), target, r.Spec.Target.String(), r.Stop.String(),
			strconv.Itoa(int(hop.TTL)), strconv.Itoa(hop.Sent), strconv.Itoa(hop.Lost),
		}
		rows := [][]string{{"", "", "", "", "0", "", "", "", ""}}
		if len(hop.Nodes) > 0 {
			rows = rows[:0]
		}
		for _, node := range hop.Nodes {
			rows = append(rows, cells(node, notes[node.Addr]))
		}
		for _, row := range rows {
			if err := c.w.Write(slices.Concat(front, row)); err != nil {
				return fmt.Errorf("text: %w", err)
			}
		}
	}
	c.w.Flush()
	if err := c.w.Error(); err != nil {
		return fmt.Errorf("text: %w", err)
	}
	return nil
}

func cells(node traceroute.Node, note traceroute.Note) []string {
	ms := func(d time.Duration) string {
		return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', -1, 64)
	}
	return []string{
		address(node), note.ASN.String(), note.NameOf(node.Addr), strings.Join(node.Labels, " "), strconv.Itoa(node.Count),
		ms(node.Min), ms(node.Mean), ms(node.Max), ms(node.StdDev),
	}
}
