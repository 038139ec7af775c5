//go:build linux

package e2e

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// hop is what one TTL shows, for comparison.
type hop struct {
	TTL, Sent, Lost int
	Nodes           []node
}

// node is one responder of a hop. Labels are joined by spaces.
type node struct {
	Addr    string
	Packets int
	Labels  string
}

// label is what traceroute(8) prints for an unreachable code, and
// "!<code>" where it prints nothing, for port unreachable of a router.
func label(code uint8, ipv6 bool) string {
	assigned := [...]string{"!N", "!H", "!P", "", "!F-0", "!S", "!N", "!H", "!N", "!X", "!X", "!N", "!H", "!X", "!V", "!C"}
	if ipv6 {
		assigned = [...]string{0: "!N", 1: "!X", 2: "!H", 3: "!H", 15: ""}
	}
	return cmp.Or(assigned[code], fmt.Sprintf("!<%d>", code))
}

// expected is what a trace must show in a lab that loses nothing and in which
// every TTL has one answer at most, and why it must stop.
func expected(lab *kernel.Lab, spec traceroute.Spec) (hops []hop, stop traceroute.Stop) {
	ipv6 := spec.Target.Is6()
	packets := cmp.Or(spec.PacketsPerTTL, traceroute.DefaultPackets)
	halves := []string{""}
	if spec.Method == traceroute.GREICMP {
		halves = []string{"GRE", "ICMP"}
	}
	stop = traceroute.Exhausted
	for i, answers := range lab.Hops(ipv6, cmp.Or(spec.MaxTTL, traceroute.DefaultMaxTTL)) {
		h := hop{TTL: i + 1, Sent: packets * len(halves)}
		if len(answers) == 0 {
			h.Lost = h.Sent
		}
		for _, a := range answers {
			for _, half := range halves {
				n := node{Addr: a.From.String(), Packets: packets, Labels: half}
				switch a.Verdict {
				case kernel.Arrived:
					stop, n.Addr = traceroute.Reached, spec.Target.String()
				case kernel.Refused:
					if spec.Method == traceroute.UDP && looksReached(a, hops, ipv6) {
						stop = traceroute.Reached
						break
					}
					stop, n.Labels = traceroute.Blocked, strings.TrimSpace(half+" "+label(a.Code, ipv6))
				}
				h.Nodes = append(h.Nodes, n)
			}
		}
		hops = append(hops, h)
	}
	return hops, stop
}

// looksReached reports whether a router's refusal of a UDP probe is one that the
// target could have sent from another address: port or protocol unreachable, from
// a sender that answered no TTL before (ADR 47).
func looksReached(a kernel.Answer, before []hop, ipv6 bool) bool {
	known := slices.ContainsFunc(before, func(h hop) bool {
		return slices.ContainsFunc(h.Nodes, func(n node) bool { return n.Addr == a.From.String() })
	})
	return !known && (ipv6 && a.Code == 4 || !ipv6 && (a.Code == 2 || a.Code == 3))
}

// shown is a result's summary in the form of expected.
func shown(result *traceroute.Result) []hop {
	var hops []hop
	for _, s := range stats.Summarize(result).Hops {
		h := hop{TTL: int(s.TTL), Sent: s.Sent, Lost: s.Lost}
		for _, n := range s.Nodes {
			h.Nodes = append(h.Nodes, node{n.Addr.String(), n.Count, strings.Join(n.Labels, " ")})
		}
		hops = append(hops, h)
	}
	return hops
}

// asExpected holds a result against expected, and against sense.
func (s site) asExpected(t testing.TB, result *traceroute.Result) {
	t.Helper()
	hops, stop := expected(s.Lab, result.Spec)
	if diff := gocmp.Diff(hops, shown(result)); diff != "" {
		t.Errorf("%v to %v (-want +got):\n%s", result.Spec.Method, result.Spec.Target, diff)
	}
	if result.Stop != stop {
		t.Errorf("%v to %v: stop %d, want %d", result.Spec.Method, result.Spec.Target, result.Stop, stop)
	}
	if c := result.Counts; c.Duplicates+c.Late+c.Forged != 0 {
		t.Errorf("%v to %v: counts %+v", result.Spec.Method, result.Spec.Target, c)
	}
	s.sensible(t, result)
}

// sensible checks what holds for every result: the sums, the order of the
// numbers, the clock.
func (s site) sensible(t testing.TB, result *traceroute.Result) {
	t.Helper()
	spec := result.Spec
	if want := s.Host.Addr(spec.Target.Is6()); result.Source != want {
		t.Errorf("source %v, want %v", result.Source, want)
	}
	summary, arrived := stats.Summarize(result), 0
	for _, h := range summary.Hops {
		count := h.Lost
		for _, n := range h.Nodes {
			count += n.Count
			if lo, hi := n.Min, n.Max; lo > n.Mean || n.Mean > hi || n.StdDev < 0 || lo < 0 {
				t.Errorf("%v to %v, TTL %d: RTTs %v, mean %v, %v, deviation %v", spec.Method, spec.Target, h.TTL, lo, n.Mean, hi, n.StdDev)
			}
		}
		if count != h.Sent {
			t.Errorf("%v to %v, TTL %d: %d sent, but %d answered and lost", spec.Method, spec.Target, h.TTL, h.Sent, count)
		}
	}
	for _, p := range result.Probes {
		if p.Answer == nil {
			continue
		}
		if p.Answer.Arrival {
			arrived++
		}
		if p.Answer.Kind == traceroute.TimeExceeded && p.Answer.QuotedTTL != 1 {
			t.Errorf("%v to %v, TTL %d: expired with TTL %d", spec.Method, spec.Target, p.TTL, p.Answer.QuotedTTL)
		}
	}
	if n := summary.Target.Count; n != arrived || (n > 0) != (result.Stop == traceroute.Reached) {
		t.Errorf("%v to %v: the target counts %d answers, %d arrived, stop %d", spec.Method, spec.Target, n, arrived, result.Stop)
	}
}

// paths returns the answering addresses by flow and TTL, the flows of a
// GREICMP trace's GRE half first. Unanswered probes have no address.
func paths(result *traceroute.Result) [][]netip.Addr {
	flows := result.Spec.PacketsPerTTL
	all := make([][]netip.Addr, flows, 2*flows)
	if result.Spec.Method == traceroute.GREICMP {
		all = all[:2*flows]
	}
	for _, p := range result.Probes {
		i := int(p.Flow)
		if result.Spec.Method == traceroute.GREICMP && !p.Encapsulated {
			i += flows
		}
		for len(all[i]) < int(p.TTL) {
			all[i] = append(all[i], netip.Addr{})
		}
		if p.Answer != nil {
			all[i][p.TTL-1] = p.Answer.From
		}
	}
	return all
}

func equal[T any](t testing.TB, want, got T) {
	t.Helper()
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
