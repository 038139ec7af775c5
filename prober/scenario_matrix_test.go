package prober_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"probe-agent/internal/netsim"
	"probe-agent/prober"
)

// cell is how many traces of scenario files there are: in memory, and those of
// them that also run on a TUN device.
type cell struct{ memory, tun int }

func (c cell) String() string { return fmt.Sprintf("%d/%d", c.memory, c.tun) }

// column is a method over a family.
type column struct {
	method prober.Method
	family netsim.Family
}

func (c column) String() string {
	return fmt.Sprintf("%v %s", c.method, strings.TrimPrefix(c.family.String(), "ip"))
}

func columns() []column {
	var all []column
	for method := prober.ICMP; method <= prober.GREICMP; method++ {
		all = append(all, column{method, netsim.IPv4}, column{method, netsim.IPv6})
	}
	return all
}

// TestScenarioMatrix prints which conditions are covered by which method,
// family and stage, and fails when one of them has a hole. See it with
//
//	go test ./prober -run TestScenarioMatrix -v
func TestScenarioMatrix(t *testing.T) {
	matrix := map[string]map[column]cell{}
	var conditions, off []string
	files := scenarioFiles(t, 1)
	for _, f := range files {
		condition := netsim.Condition(f.name)
		if matrix[condition] == nil {
			matrix[condition] = map[column]cell{}
			conditions = append(conditions, condition)
		}
		reason := onTUN(f.scenario)
		if reason != "" {
			off = append(off, f.name+": "+reason)
		}
		for _, c := range f.cases {
			at := column{c.method, familyOf(c.target)}
			entry := matrix[condition][at]
			entry.memory++
			if reason == "" {
				entry.tun++
			}
			matrix[condition][at] = entry
		}
	}
	slices.Sort(conditions)
	t.Logf("%d scenarios; traces in memory / on a TUN device:\n%s", len(files), table(conditions, matrix))
	t.Logf("in memory only:\n  %s", strings.Join(off, "\n  "))
	for _, condition := range conditions {
		for _, at := range columns() {
			got := matrix[condition][at]
			if got.memory == 0 || got.tun == 0 && condition != "host" {
				t.Errorf("hole: %s by %v: %v", condition, at, got)
			}
		}
	}
}

func table(conditions []string, matrix map[string]map[column]cell) string {
	var b strings.Builder
	row := func(name string, each func(column) string) {
		fmt.Fprintf(&b, "%-12s", name)
		for _, at := range columns() {
			fmt.Fprintf(&b, "%12s", each(at))
		}
		b.WriteByte('\n')
	}
	row("", column.String)
	sums := map[column]cell{}
	for _, condition := range conditions {
		row(condition, func(at column) string {
			c, sum := matrix[condition][at], sums[at]
			sums[at] = cell{sum.memory + c.memory, sum.tun + c.tun}
			return c.String()
		})
	}
	row("all", func(at column) string { return sums[at].String() })
	return b.String()
}
