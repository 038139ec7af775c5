//go:build linux

package e2e

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/traceroute"
)

// hopLine is "ttl address time ms flag" of traceroute -n -q 1, or "ttl *".
var hopLine = regexp.MustCompile(`^ *\d+ +(?:\*|([0-9a-f.:]+) +[0-9.]+ ms( ![^ ]+)?.*)$`)

// traceroute runs traceroute(8) on the lab's host and returns "address flag"
// for each TTL.
func (s site) traceroute(t testing.TB, target netip.Addr, options ...string) []string {
	t.Helper()
	kerneltest.Program(t, "traceroute", "traceroute")
	options = append([]string{"-n", "-q", "1", "-N", "16"}, options...)
	out, err := s.Command(context.Background(), "traceroute", append(options, target.String())...).CombinedOutput()
	if err != nil {
		t.Fatalf("traceroute %v %v: %v\n%s", options, target, err, out)
	}
	var hops []string
	for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n")[1:] {
		m := hopLine.FindStringSubmatch(strings.TrimRight(line, " "))
		if m == nil {
			t.Fatalf("traceroute %v %v wrote %q", options, target, line)
		}
		hops = append(hops, m[1]+m[2])
	}
	return hops
}

// likeTraceroute is what traceroute(8) prints where we show hops, which have
// one node each, or two halves of one. It differs in two things: it flags the
// refusal of GRE by the target, which is an arrival, and does not flag port
// unreachable from a router, which is none.
func likeTraceroute(hops []hop, half string, target netip.Addr) []string {
	var lines []string
	for _, h := range hops {
		line := ""
		for _, n := range h.Nodes {
			flags, ok := strings.CutPrefix(n.Labels, half)
			if !ok {
				continue
			}
			line = strings.TrimRight(n.Addr+" "+strings.TrimSpace(flags), " ")
			if n.Addr == target.String() && half == "GRE" {
				line += map[bool]string{false: " !P", true: " !<4-1>"}[target.Is6()]
			}
			line = strings.TrimSuffix(line, map[bool]string{false: " !<3>", true: " !<4>"}[target.Is6()])
		}
		lines = append(lines, line)
	}
	return lines
}

// asTraceroute compares a result with what traceroute(8) finds the same way.
func (s site) asTraceroute(t testing.TB, w way, result *traceroute.Result, options ...string) {
	t.Helper()
	target := result.Spec.Target
	for _, alike := range w.alike {
		half := ""
		hops := shown(result)
		switch {
		case alike[0] == "-P":
			half = "GRE"
			hops = labelled(hops, w.method, half)
		case w.method == traceroute.GREICMP:
			half = "ICMP"
		}
		got := likeTraceroute(hops, half, target)
		args := append([]string{"-m", fmt.Sprint(result.Spec.MaxTTL)}, append(options, alike...)...)
		if diff := gocmp.Diff(s.traceroute(t, target, args...), got); diff != "" {
			t.Errorf("%s to %v (-traceroute %v +ours):\n%s", w.name, target, args, diff)
		}
	}
}

// labelled gives the nodes of a plain GRE trace the label that those of a
// GREICMP trace have.
func labelled(hops []hop, method traceroute.Method, half string) []hop {
	if method != traceroute.GRE {
		return hops
	}
	for i := range hops {
		for k := range hops[i].Nodes {
			n := &hops[i].Nodes[k]
			n.Labels = strings.TrimSpace(half + " " + n.Labels)
		}
	}
	return hops
}
