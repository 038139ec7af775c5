//go:build linux

package kernel_test

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// methods are the ways of traceroute(8) to probe, by its options, and how it
// flags an arrival: only GRE is refused by the target in a way it notes.
var methods = []struct{ option, port, arrival4, arrival6 string }{
	{"-I", "", "", ""},
	{"-T", "80", "", ""},
	{"-U", "53", "", ""},
	{"-P", "47", " !P", " !<4-1>"},
}

// hopLine is "ttl address time ms flag" of traceroute -n -q 1, or "ttl *".
var hopLine = regexp.MustCompile(`^ *(\d+) +(?:\*|([0-9a-f.:]+) +[0-9.]+ ms( ![^ ]+)?.*)$`)

// traceroute runs traceroute(8) to the target in the lab's host and returns
// "address flag" for each TTL.
func traceroute(t *testing.T, lab *kernel.Lab, ipv6 bool, args ...string) []string {
	t.Helper()
	family := "-4"
	if ipv6 {
		family = "-6"
	}
	args = append([]string{family, "-n", "-q", "1"}, args...)
	out, err := lab.Command(context.Background(), "traceroute", append(args, lab.Target.Addr(ipv6).String())...).Output()
	if err != nil {
		t.Errorf("traceroute %v: %v", args, err)
		return nil
	}
	var hops []string
	for _, line := range strings.Split(strings.TrimRight(string(out), "\n"), "\n")[1:] {
		m := hopLine.FindStringSubmatch(strings.TrimRight(line, " "))
		if m == nil {
			t.Errorf("traceroute %v wrote %q", args, line)
			continue
		}
		hops = append(hops, m[2]+m[3])
	}
	return hops
}

// flag is how traceroute(8) notes an unreachable code.
func flag(code uint8, ipv6 bool) string {
	if ipv6 {
		return cmp.Or(map[uint8]string{0: " !N", 1: " !X", 2: " !H", 3: " !H", 4: "-"}[code], fmt.Sprintf(" !<%d>", code))
	}
	return cmp.Or(map[uint8]string{
		0: " !N", 1: " !H", 2: " !P", 3: "-", 4: " !F-0", 5: " !S", 6: " !N", 7: " !H", 8: " !N", 9: " !X",
		10: " !X", 11: " !N", 12: " !H", 13: " !X", 14: " !V", 15: " !C",
	}[code], fmt.Sprintf(" !<%d>", code))
}

// expected is what traceroute(8) should show of a lab in which every TTL has
// at most one answer.
func expected(lab *kernel.Lab, ipv6 bool, maxTTL int, arrival string) []string {
	var want []string
	for _, answers := range lab.Hops(ipv6, maxTTL) {
		hop := ""
		for _, a := range answers {
			hop += a.From.String()
			switch a.Verdict {
			case kernel.Refused:
				hop += strings.TrimPrefix(flag(a.Code, ipv6), "-")
			case kernel.Arrived:
				hop += arrival
			}
		}
		want = append(want, hop)
	}
	return want
}

// compare traces with every method over both families at once, since silent
// hops take their time. Each traceroute keeps up to atOnce probes in flight.
func compare(t *testing.T, lab *kernel.Lab, maxTTL, atOnce int) {
	t.Helper()
	var running sync.WaitGroup
	for _, m := range methods {
		for _, ipv6 := range []bool{false, true} {
			running.Go(func() {
				args := []string{"-w", "1", "-N", fmt.Sprint(atOnce), "-m", fmt.Sprint(maxTTL), m.option}
				switch m.option {
				case "-P":
					args = append(args, m.port)
				case "-I":
				default:
					args = append(args, "-p", m.port)
				}
				arrival := m.arrival4
				if ipv6 {
					arrival = m.arrival6
				}
				want := expected(lab, ipv6, maxTTL, arrival)
				if diff := gocmp.Diff(want, traceroute(t, lab, ipv6, args...)); diff != "" {
					t.Errorf("traceroute %v, IPv6 %t (-want +got):\n%s", args, ipv6, diff)
				}
			})
		}
	}
	running.Wait()
}

func TestTraceroute(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	edit := func(n, router int, f func(*kernel.Router)) kernel.Topology {
		topology := kernel.Chain(n)
		f(&topology.Routers[router])
		return topology
	}
	route := func(kind kernel.RouteKind) kernel.Topology {
		return edit(3, 1, func(r *kernel.Router) { r.Route = kind })
	}
	for _, c := range []struct {
		name     string
		topology kernel.Topology
		maxTTL   int
		atOnce   int // probes, per traceroute
	}{
		{"no router", kernel.Chain(0), 30, 16},
		{"chain", kernel.Chain(5), 30, 16},
		{"long chain", kernel.Chain(29), 30, 16},
		{"open ports", kernel.Topology{Routers: make([]kernel.Router, 2), Target: kernel.Target{TCPOpen: []uint16{80}, UDPEcho: []uint16{53}}}, 30, 16},
		{"silent hop", edit(4, 1, func(r *kernel.Router) { r.Silent = true }), 8, 16},
		{"silent target", kernel.Topology{Routers: make([]kernel.Router, 2), Target: kernel.Target{Silent: true}}, 5, 16},
		{"blackhole", edit(3, 1, func(r *kernel.Router) { r.Blackhole = true }), 6, 16},
		{"loop", route(kernel.Back), 7, 16},
		{"loop further on", edit(4, 3, func(r *kernel.Router) { r.Route = kernel.Back }), 9, 16},
		// The kernel sends but five of these IPv4 errors at once.
		{"unreachable route", route(kernel.Unreachable), 30, 1},
		{"prohibiting route", route(kernel.Prohibit), 30, 1},
		{"no route", route(kernel.None), 30, 1},
		{"discarding route", route(kernel.Discard), 5, 16},
		{"NAT", edit(4, 1, func(r *kernel.Router) { r.NAT = true }), 30, 16},
		{"NAT behind NAT", kernel.Topology{Routers: []kernel.Router{{NAT: true}, {}, {NAT: true}, {}}}, 30, 16},
		{"NAT and loop", kernel.Topology{Routers: []kernel.Router{{NAT: true}, {}, {Route: kernel.Back}, {}}}, 7, 16},
		{"narrow link", edit(3, 1, func(r *kernel.Router) { r.MTU = 68 }), 30, 16},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compare(t, kerneltest.Build(t, c.topology), c.maxTTL, c.atOnce)
		})
	}
}

// TestTracerouteElsewhere: a port unreachable from another address of the target
// ends traceroute(8)'s trace, without a flag.
func TestTracerouteElsewhere(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	lab := kerneltest.Build(t, kernel.Topology{Routers: make([]kernel.Router, 2), Target: kernel.Target{Elsewhere: true}})
	for _, ipv6 := range []bool{false, true} {
		want := expected(lab, ipv6, 30, "")
		want[2] = lab.Target.Addr(ipv6).Next().String()
		if diff := gocmp.Diff(want, traceroute(t, lab, ipv6, "-U", "-p", "53")); diff != "" {
			t.Errorf("IPv6 %t (-want +got):\n%s", ipv6, diff)
		}
	}
}

func TestTracerouteReject(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	for code := range uint8(16) {
		if code == 4 {
			continue // fragmentation needed is no flag to a UDP socket; see TestNarrowLink
		}
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			// IPv6 code 4 is port unreachable, which has no flag; the
			// assigned codes are 0 to 6.
			reject := &kernel.Reject{IPv4: code, IPv6: code % 7, Early: code%2 == 1}
			topology := kernel.Chain(3)
			topology.Routers[1].Reject = reject
			compare(t, kerneltest.Build(t, topology), 30, 16)
		})
	}
}
