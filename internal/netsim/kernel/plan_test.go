//go:build linux

package kernel

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewPlanRefuses(t *testing.T) {
	edit := func(n, router int, f func(*Router)) Topology {
		topology := Chain(n)
		f(&topology.Routers[router])
		return topology
	}
	parallelNAT := Diamond(1, 1, 1, 1)
	parallelNAT.Routers[2].NAT = true
	for _, c := range []struct {
		name, want string
		topology   Topology
	}{
		{"backward next", "next 0 is not behind it", edit(3, 1, func(r *Router) { r.Next = []int{0} })},
		{"next past the target", "next 4 is not behind it", edit(3, 1, func(r *Router) { r.Next = []int{4} })},
		{"next twice", "next 2 is there twice", edit(3, 1, func(r *Router) { r.Next = []int{2, 2} })},
		{"router left out", "router 1: no router before it", edit(3, 0, func(r *Router) { r.Next = []int{2} })},
		{"MTU below", "MTU 67", edit(1, 0, func(r *Router) { r.MTU = 67 })},
		{"MTU above", "MTU 1501", edit(1, 0, func(r *Router) { r.MTU = 1501 })},
		{"drop every one", "DropEvery 1", edit(1, 0, func(r *Router) { r.DropEvery = 1 })},
		{"loop with the host", "does not forward", edit(1, 0, func(r *Router) { r.Route = Back })},
		{"route kind", "unknown route kind 9", edit(1, 0, func(r *Router) { r.Route = 9 })},
		{"spread", "unknown spread 9", edit(1, 0, func(r *Router) { r.Spread = 9 })},
		{"two fates", "only one of", edit(1, 0, func(r *Router) { r.Blackhole, r.Route = true, Prohibit })},
		{"NAT beside", "router 2: NAT on a parallel branch", parallelNAT},
		{"target addresses", "32769 target addresses", Topology{Target: Target{Addresses: 32769}}},
		{"links", "251 links", Chain(250)},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := newPlan(c.topology); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestPlanNumbersLinks(t *testing.T) {
	p, err := newPlan(Diamond(1, 1, 1, 2))
	if err != nil {
		t.Fatal(err)
	}
	want := []link{
		{1, host, 0, standardMTU},
		{2, 0, 1, standardMTU},
		{3, 0, 2, standardMTU},
		{5, 1, 4, standardMTU},
		{4, 2, 3, standardMTU},
		{7, 3, 4, standardMTU}, // the second way into the join
		{6, 4, 5, standardMTU},
	}
	if diff := cmp.Diff(want, p.links, cmp.AllowUnexported(link{})); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestNATWherePathsMeet(t *testing.T) {
	for _, router := range []int{0, 1, 4} {
		topology := Diamond(2, 1, 1, 1)
		topology.Routers[router].NAT = true
		if _, err := newPlan(topology); err != nil {
			t.Errorf("router %d: %v", router, err)
		}
	}
}
