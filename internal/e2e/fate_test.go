//go:build linux

package e2e

import (
	"testing"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/traceroute"
)

// fateTopologies are networks that do something to probes which the oracle of
// the lab knows.
func fateTopologies() map[string]kernel.Topology {
	edit := func(n, router int, f func(*kernel.Router)) kernel.Topology {
		topology := kernel.Chain(n)
		topology.Target = endpoint()
		f(&topology.Routers[router])
		return topology
	}
	deaf := kernel.Chain(2)
	deaf.Target.Silent = true
	nats := kernel.Topology{Routers: []kernel.Router{{NAT: true}, {}, {NAT: true}, {}}, Target: endpoint()}
	return map[string]kernel.Topology{
		"no router":       {Target: endpoint()},
		"silent hop":      edit(4, 1, func(r *kernel.Router) { r.Silent = true }),
		"silent target":   deaf,
		"blackhole":       edit(3, 1, func(r *kernel.Router) { r.Blackhole = true }),
		"silent reject":   edit(3, 1, func(r *kernel.Router) { r.Silent, r.Reject = true, &kernel.Reject{} }),
		"loop":            edit(3, 1, func(r *kernel.Router) { r.Route = kernel.Back }),
		"loop further on": edit(4, 3, func(r *kernel.Router) { r.Route = kernel.Back }),
		"discarding":      edit(3, 1, func(r *kernel.Router) { r.Route = kernel.Discard }),
		"NAT":             edit(4, 1, func(r *kernel.Router) { r.NAT = true }),
		"NAT behind NAT":  nats,
		"link of 1280":    edit(3, 1, func(r *kernel.Router) { r.MTU = 1280 }),
	}
}

// Every way of probing sees what the network does, and runs to max TTL where
// no answer ends the path.
func TestFates(t *testing.T) {
	for name, topology := range fateTopologies() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, topology)
			everyWay(t, func(t *testing.T, w way, ipv6 bool) {
				spec := w.spec(s, ipv6)
				spec.MaxTTL, spec.PacketsPerTTL, spec.Wait = 9, 2, brief
				s.asExpected(t, s.trace(t, spec))
			})
		})
	}
}

// A filter at the target is a path without end.
func TestFilteredPorts(t *testing.T) {
	s := newSite(t, chain())
	for _, method := range []traceroute.Method{traceroute.TCP, traceroute.UDP} {
		for _, ipv6 := range []bool{false, true} {
			t.Run(method.String()+" to "+s.Target.Addr(ipv6).String(), func(t *testing.T) {
				t.Parallel()
				spec := traceroute.Spec{Target: s.Target.Addr(ipv6), Method: method, Port: filteredPort, MaxTTL: 8, Wait: brief}
				result := s.trace(t, spec)
				s.sensible(t, result)
				want, _ := expected(s.Lab, result.Spec)
				want = want[:5] // the routers
				for ttl := 6; ttl <= 8; ttl++ {
					want = append(want, hop{TTL: ttl, Sent: 3, Lost: 3})
				}
				equal(t, want, shown(result))
				if result.Stop != traceroute.Exhausted {
					t.Errorf("stop %d", result.Stop)
				}
			})
		}
	}
}

// A router that loses every second error still names itself.
func TestPartialLoss(t *testing.T) {
	const every, packets = 2, 10
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		// A lab for each, for it is the router that counts.
		topology := chain()
		topology.Routers[2].DropEvery = every
		s := newSite(t, topology)
		spec := w.spec(s, ipv6)
		spec.PacketsPerTTL, spec.Wait = packets, brief
		if w.port == echoPort {
			spec.Wait = unhurried // a program answers, when the machine lets it
		}
		result := s.trace(t, spec)
		s.sensible(t, result)
		want, stop := expected(s.Lab, result.Spec)
		h := &want[2]
		h.Lost = h.Sent / every
		got := shown(result)
		if len(h.Nodes) == 1 {
			h.Nodes[0].Packets = h.Sent - h.Lost
		} else if len(got) > 2 {
			// Which half loses how many is chance.
			h.Nodes, got[2].Nodes = nil, nil
		}
		equal(t, want, got)
		if result.Stop != stop {
			t.Errorf("stop %d", result.Stop)
		}
	})
}

// Stock ICMP limits cost answers, never truth: what answers is what is there,
// the target is found, and the loss is told.
func TestStockLimits(t *testing.T) {
	topology := chain()
	topology.StockLimits = true
	everyWay(t, func(t *testing.T, w way, ipv6 bool) {
		s := newSite(t, topology)
		spec := w.spec(s, ipv6)
		spec.PacketsPerTTL, spec.Wait = 10, brief
		result := s.trace(t, spec)
		s.sensible(t, result)
		want, stop := expected(s.Lab, result.Spec)
		got := shown(result)
		if len(got) != len(want) || result.Stop != stop {
			t.Fatalf("%d hops, stop %d; want %d, %d", len(got), result.Stop, len(want), stop)
		}
		for i := range got {
			// IPv6's limit of ten per second costs nothing when the trace
			// happens to be slow.
			if i < len(topology.Routers) && !ipv6 && got[i].Lost == 0 || got[i].Lost == got[i].Sent {
				t.Errorf("TTL %d: lost %d of %d in %v, want some", i+1, got[i].Lost, got[i].Sent, result.Duration)
			}
			equal(t, names(want[i]), names(got[i]))
		}
	})
}

// names are a hop's addresses, each once.
func names(h hop) map[string]bool {
	all := map[string]bool{}
	for _, n := range h.Nodes {
		all[n.Addr] = true
	}
	return all
}
