//go:build linux

package kernel

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// draw writes hops as "a, b | c": x expired, x!n refused with code n, x. arrived.
func draw(hops [][]Answer) string {
	var drawn []string
	for _, answers := range hops {
		var hop []string
		for _, a := range answers {
			switch a.Verdict {
			case Expired:
				hop = append(hop, a.From.String())
			case Refused:
				hop = append(hop, fmt.Sprintf("%v!%d", a.From, a.Code))
			case Arrived:
				hop = append(hop, a.From.String()+".")
			}
		}
		drawn = append(drawn, strings.Join(hop, ", "))
	}
	return strings.Join(drawn, " | ")
}

func TestHops(t *testing.T) {
	edit := func(topology Topology, router int, f func(*Router)) Topology {
		f(&topology.Routers[router])
		return topology
	}
	for _, c := range []struct {
		name     string
		topology Topology
		ipv4     string
		ipv6     string
	}{
		{"no router", Chain(0), "198.19.0.1.", "2001:db8:ffff::1."},
		{"chain", Chain(2), "198.18.1.2 | 198.18.2.2 | 198.19.0.1.", "2001:db8:1::2 | 2001:db8:2::2 | 2001:db8:ffff::1."},
		{
			"silent", edit(Chain(2), 0, func(r *Router) { r.Silent = true }),
			" | 198.18.2.2 | 198.19.0.1.", " | 2001:db8:2::2 | 2001:db8:ffff::1.",
		},
		{
			"blackhole", edit(Chain(2), 0, func(r *Router) { r.Blackhole = true }),
			"198.18.1.2 |  |  |  | ", "2001:db8:1::2 |  |  |  | ",
		},
		{
			"silent target",
			Topology{Target: Target{Silent: true}},
			" |  |  |  | ", " |  |  |  | ",
		},
		{
			"reject", edit(Chain(2), 0, func(r *Router) { r.Reject = &Reject{IPv4: 10, IPv6: 4} }),
			"198.18.1.2 | 198.18.1.2!10", "2001:db8:1::2 | 2001:db8:1::2!4",
		},
		{
			"early reject", edit(Chain(2), 0, func(r *Router) { r.Reject = &Reject{IPv4: 10, IPv6: 4, Early: true} }),
			"198.18.1.2!10", "2001:db8:1::2!4",
		},
		{
			"silent reject", edit(Chain(2), 1, func(r *Router) { r.Reject = &Reject{}; r.Silent = true }),
			"198.18.1.2 |  |  |  | ", "2001:db8:1::2 |  |  |  | ",
		},
		{
			"prohibit", edit(Chain(2), 1, func(r *Router) { r.Route = Prohibit }),
			"198.18.1.2 | 198.18.2.2!13", "2001:db8:1::2 | 2001:db8:2::2!1",
		},
		{
			"loop", edit(Chain(3), 1, func(r *Router) { r.Route = Back }),
			"198.18.1.2 | 198.18.2.2 | 198.18.1.2 | 198.18.2.2 | 198.18.1.2",
			"2001:db8:1::2 | 2001:db8:2::2 | 2001:db8:1::2 | 2001:db8:2::2 | 2001:db8:1::2",
		},
		{
			"uneven diamond", Diamond(1, 0, 1, 2),
			"198.18.1.2 | 198.18.2.2, 198.18.3.2 | 198.18.4.2, 198.19.0.1. | 198.19.0.1.",
			"2001:db8:1::2 | 2001:db8:2::2, 2001:db8:3::2 | 2001:db8:4::2, 2001:db8:ffff::1. | 2001:db8:ffff::1.",
		},
		{
			"diamond with a refusing branch", edit(Diamond(1, 0, 1, 2), 1, func(r *Router) { r.Route = Unreachable }),
			"198.18.1.2 | 198.18.2.2!1, 198.18.3.2 | 198.18.2.2!1, 198.18.4.2 | 198.18.2.2!1, 198.19.0.1.",
			"2001:db8:1::2 | 2001:db8:2::2!0, 2001:db8:3::2 | 2001:db8:2::2!0, 2001:db8:4::2 | 2001:db8:2::2!0, 2001:db8:ffff::1.",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := newPlan(c.topology)
			if err != nil {
				t.Fatal(err)
			}
			got := []string{draw(p.hops(false, 5)), draw(p.hops(true, 5))}
			if diff := cmp.Diff([]string{c.ipv4, c.ipv6}, got); diff != "" {
				t.Errorf("hops (-want +got):\n%s", diff)
			}
		})
	}
}
