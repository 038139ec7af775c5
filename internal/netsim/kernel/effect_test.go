//go:build linux

package kernel_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// flows is how many flows a spreading test sends. That all of them miss one of
// two ways has a chance of 1 in 2^63.
const flows = 64

func TestDiamondSpreadsFlows(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	even, uneven, labelled := kernel.Diamond(2, 1, 1, 1), kernel.Diamond(1, 1, 1, 2), kernel.Diamond(1, 0, 1, 1)
	labelled.Routers[0].Spread = kernel.SpreadFlowLabel
	for _, c := range []struct {
		name     string
		topology kernel.Topology
		ipv6     bool
		flow     func(n int) []string // options of traceroute(8) for flow n
	}{
		{"even, UDP over IPv4", even, false, byPort},
		{"even, UDP over IPv6", even, true, byPort},
		{"uneven, UDP over IPv4", uneven, false, byPort},
		{"uneven, UDP over IPv6", uneven, true, byPort},
		{"ICMPv6 by flow label", labelled, true, byLabel},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab := kerneltest.Build(t, c.topology)
			seen := map[string]int{}
			for _, path := range lab.Paths(c.ipv6) {
				seen[spell(path)] = 0
			}
			for n := range flows {
				path := strings.Join(traceroute(t, lab, c.ipv6, c.flow(n)...), " ")
				if _, possible := seen[path]; !possible {
					t.Fatalf("flow %d took %q, possible are %v", n, path, lab.Paths(c.ipv6))
				}
				seen[path]++
			}
			for path, n := range seen {
				if n == 0 {
					t.Errorf("no flow took %q", path)
				}
			}
		})
	}
}

func byPort(n int) []string  { return []string{"-U", "--sport=" + fmt.Sprint(40000+n)} }
func byLabel(n int) []string { return []string{"-I", "-l", fmt.Sprint(n + 1)} }

func spell(path []netip.Addr) string {
	var words []string
	for _, a := range path {
		words = append(words, a.String())
	}
	return strings.Join(words, " ")
}

// answered sends 10 probes of TTL 1 at once and counts the answers.
func answered(t *testing.T, lab *kernel.Lab, ipv6 bool) int {
	t.Helper()
	family := "-4"
	if ipv6 {
		family = "-6"
	}
	out, err := lab.Command(context.Background(), "traceroute", family, "-n", "-U", "-q", "10", "-N", "10", "-m", "1", "-w", "1",
		lab.Target.Addr(ipv6).String()).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(out), " ms")
}

func TestErrorLimits(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	one := func(r kernel.Router) kernel.Topology { return kernel.Topology{Routers: []kernel.Router{r}} }
	all := kernel.Chain(1)
	all.StockLimits = true
	for _, c := range []struct {
		name      string
		topology  kernel.Topology
		low, high int // answers to 10 probes
	}{
		{"lifted", one(kernel.Router{}), 10, 10},
		{"one of two lost", one(kernel.Router{DropEvery: 2}), 5, 5},
		{"one of ten lost", one(kernel.Router{DropEvery: 10}), 9, 9},
		// The kernel starts with a burst of 6, then one per second.
		{"stock router", one(kernel.Router{StockLimits: true}), 1, 8},
		{"stock lab", all, 1, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lab := kerneltest.Build(t, c.topology)
			for _, ipv6 := range []bool{false, true} {
				if n := answered(t, lab, ipv6); n < c.low || n > c.high {
					t.Errorf("IPv6 %t: %d of 10 answered, want %d to %d", ipv6, n, c.low, c.high)
				}
			}
		})
	}
}

func TestNarrowLink(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	for _, c := range []struct{ mtu, ipv6 int }{{68, 1280}, {576, 1280}, {1280, 1280}, {1400, 1400}} {
		t.Run(fmt.Sprint(c.mtu), func(t *testing.T) {
			t.Parallel()
			topology := kernel.Chain(3)
			topology.Routers[1].MTU = c.mtu
			lab := kerneltest.Build(t, topology)
			for family, want := range map[string]int{"-4": c.mtu, "-6": c.ipv6} {
				target := lab.Target.Addr(family == "-6").String()
				out, err := lab.Command(context.Background(), "traceroute", family, "-n", "-q", "1", "--mtu", target).Output()
				if err != nil {
					t.Fatal(err)
				}
				// The hop behind the narrow link is where the size changes.
				lines := strings.Split(string(out), "\n")
				if len(lines) < 4 || !strings.HasSuffix(lines[3], fmt.Sprintf("F=%d", want)) {
					t.Errorf("%s: no MTU of %d at hop 3:\n%s", family, want, out)
				}
			}
		})
	}
}

func TestFilteredPorts(t *testing.T) {
	kerneltest.Program(t, "traceroute", "traceroute")
	lab := kerneltest.Build(t, kernel.Topology{
		Routers: make([]kernel.Router, 1),
		Target:  kernel.Target{TCPFiltered: []uint16{81}, UDPFiltered: []uint16{9}},
	})
	for _, ipv6 := range []bool{false, true} {
		for option, port := range map[string]string{"-T": "81", "-U": "9"} {
			got := traceroute(t, lab, ipv6, "-w", "0.3", "-m", "2", option, "-p", port)
			if len(got) != 2 || got[0] != lab.Routers[0].Addr(ipv6).String() || got[1] != "" {
				t.Errorf("%s to port %s, IPv6 %t: %q", option, port, ipv6, got)
			}
		}
	}
}
