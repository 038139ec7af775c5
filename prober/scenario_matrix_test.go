package prober_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"probe-agent/internal/netsim"
	"probe-agent/traceroute"
)

// cell is how many traces of scenario files there are: in memory, and those of
// them that also run on a TUN device and in namespaces.
type cell struct{ memory, tun, namespaces int }

func (c cell) String() string { return fmt.Sprintf("%d/%d/%d", c.memory, c.tun, c.namespaces) }

func (c cell) plus(other cell) cell {
	return cell{c.memory + other.memory, c.tun + other.tun, c.namespaces + other.namespaces}
}

// cellOf is one trace of a scenario. A reason says why a stage cannot play it.
func cellOf(offTUN, offNamespaces string) cell {
	c := cell{memory: 1}
	if offTUN == "" {
		c.tun = 1
	}
	if offNamespaces == "" {
		c.namespaces = 1
	}
	return c
}

// must is what each method and family has to have of a condition: one trace in
// memory; one on a TUN device, if the condition is not of the host itself; and
// one in namespaces, if it is nothing but what kernels do.
func must(condition string) cell {
	switch condition {
	case "host":
		return cell{memory: 1}
	case "chain", "ecmp", "gre", "loss", "routing", "silent", "targets", "unreachable":
		return cell{memory: 1, tun: 1, namespaces: 1}
	}
	return cell{memory: 1, tun: 1}
}

// column is a method over a family.
type column struct {
	method traceroute.Method
	family netsim.Family
}

func (c column) String() string {
	return fmt.Sprintf("%v %s", c.method, strings.TrimPrefix(c.family.String(), "ip"))
}

func columns() []column {
	var all []column
	for method := traceroute.ICMP; method <= traceroute.GREICMP; method++ {
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
	var conditions, off, foreign []string
	files := scenarioFiles(t, 1)
	for _, f := range files {
		condition := netsim.Condition(f.name)
		if matrix[condition] == nil {
			matrix[condition] = map[column]cell{}
			conditions = append(conditions, condition)
		}
		offTUN, offNamespaces := onTUN(f.scenario), inNamespaces(f.scenario)
		if offTUN != "" {
			off = append(off, f.name+": "+offTUN)
		}
		if offNamespaces != "" {
			foreign = append(foreign, f.name+": "+offNamespaces)
		}
		for _, c := range f.cases {
			at := column{c.method, familyOf(c.target)}
			matrix[condition][at] = matrix[condition][at].plus(cellOf(offTUN, offNamespaces))
		}
	}
	slices.Sort(conditions)
	t.Logf("%d scenarios, %d of them on a TUN device, %d in namespaces; traces in memory/TUN/namespaces:\n%s",
		len(files), len(files)-len(off), len(files)-len(foreign), table(conditions, matrix))
	t.Logf("not on a TUN device:\n  %s", strings.Join(off, "\n  "))
	t.Logf("not in namespaces:\n  %s", strings.Join(foreign, "\n  "))
	for _, condition := range conditions {
		for _, at := range columns() {
			got, want := matrix[condition][at], must(condition)
			if got.memory < want.memory || got.tun < want.tun || got.namespaces < want.namespaces {
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
			fmt.Fprintf(&b, "%14s", each(at))
		}
		b.WriteByte('\n')
	}
	row("", column.String)
	sums := map[column]cell{}
	for _, condition := range conditions {
		row(condition, func(at column) string {
			c, sum := matrix[condition][at], sums[at]
			sums[at] = sum.plus(c)
			return c.String()
		})
	}
	row("all", func(at column) string { return sums[at].String() })
	return b.String()
}
