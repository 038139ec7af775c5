package prober_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// What the extensions of later hops tell of those that are hidden is gone, and
// nothing else of them.
func TestRedactExtensions(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := netsim.Chain(3, 30*time.Millisecond)
			s.Target.Addresses = []netsim.Address{netsim.N(0xff01)}
			s.Host.Source = netsim.N(500)
			host, gateway := s.Host.Source.For(v6), netsim.N(1).For(v6)
			for i := range s.Hops {
				s.Hops[i].MPLS = []netsim.Label{{Label: uint32(100 + i)}}
				s.Hops[i].Interfaces = []netsim.Interface{
					{Role: packet.RoleIncoming, Address: netsim.N(51 + i), Name: "to-the-inside"},
					{Role: packet.RoleSubIP, Index: new(uint32(7))},
					{Role: packet.RoleOutgoing, Address: netsim.N(61 + i)},
					{Role: packet.RoleNextHop, Address: netsim.N(1)}, // a packet that turns back
				}
				s.Hops[i].Objects = []netsim.Object{
					{Class: 200, Type: 1, Data: append(netsim.Hex{1, 2, 3, 4}, gateway.AsSlice()...)},
					{Class: 200, Type: 2, Data: append(netsim.Hex{}, host.AsSlice()...)},
					{Class: 200, Type: 3, Data: netsim.Hex{1, 2, 3, 4}},
					{Class: 2, Type: 4, Data: netsim.Hex{0, 3, 0, 0, 1, 2, 3, 4}}, // of an unknown address family
				}
			}
			network, err := netsim.New(s)
			if err != nil {
				t.Fatal(err)
			}
			engine, err := prober.New(netsim.NewMemory(network, network.Host()), prober.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			r, err := engine.Trace(t.Context(), traceroute.Spec{Target: netsim.N(0xff01).For(v6), PacketsPerTTL: 1}, prober.Feed{})
			if err != nil {
				t.Fatal(err)
			}
			all := func(hop int) []string {
				return []string{
					fmt.Sprint("label ", 99+hop), "role incoming " + netsim.N(50+hop).For(v6).String(), "role sub-ip invalid IP",
					"role outgoing " + netsim.N(60+hop).For(v6).String(), "role next-hop " + gateway.String(), "type 1", "type 2", "type 3", "type 4",
				}
			}
			without := func(hop int, left ...int) (some []string) {
				for i, what := range all(hop) {
					if !slices.Contains(left, i) {
						some = append(some, what)
					}
				}
				return some
			}
			if diff := cmp.Diff([][]string{all(1), all(2), all(3), nil}, extensionsOf(r)); diff != "" {
				t.Fatalf("as it is (-want +got):\n%s", diff)
			}
			want := [][]string{nil, without(2, 1, 2, 4, 5, 6, 8), without(3, 4, 5, 6, 8), nil}
			if diff := cmp.Diff(want, extensionsOf(traceroute.Redact(r, 1))); diff != "" {
				t.Errorf("one hop hidden (-want +got):\n%s", diff)
			}
			want = [][]string{nil, nil, without(3, 1, 2, 4, 5, 6, 8), nil}
			if diff := cmp.Diff(want, extensionsOf(traceroute.Redact(r, 2))); diff != "" {
				t.Errorf("two hops hidden (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([][]string{all(1), all(2), all(3), nil}, extensionsOf(r)); diff != "" {
				t.Errorf("the given result has changed (-want +got):\n%s", diff)
			}
		})
	}
}

// extensionsOf lists what the extensions of a result hold, by TTL.
func extensionsOf(r *traceroute.Result) [][]string {
	var hops [][]string
	for _, p := range r.Probes {
		var found []string
		if p.Answer != nil && p.Answer.Extensions != nil {
			e := p.Answer.Extensions
			for _, l := range e.MPLS {
				found = append(found, fmt.Sprint("label ", l.Label))
			}
			for _, i := range e.Interfaces {
				found = append(found, fmt.Sprint("role ", i.Role, " ", i.Addr))
			}
			for _, o := range e.Objects {
				found = append(found, fmt.Sprint("type ", o.CType))
			}
		}
		hops = append(hops, found)
	}
	return hops
}
