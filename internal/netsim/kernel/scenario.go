//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"probe-agent/internal/netsim"
)

// Staged is a scenario as a topology. Its nodes have the topology's addresses
// instead of the scenario's.
type Staged struct {
	Topology
	// Counting is set when what a trace finds hangs on what the routers counted
	// before: then each trace needs a lab of its own.
	Counting bool

	plan      *plan
	nodes     map[netip.Addr]int // by the scenario's address: the place
	elsewhere netsim.Address     // the scenario's for the target's second address
}

// maxStagedDelay is the longest delay that may be left out: links take no
// time here. What is below is there to tell hops apart, what is above is what
// a scenario is about.
const maxStagedDelay = 20 * time.Millisecond

// Stage translates a scenario. The error says why the kernel cannot play it,
// or not so that every trace comes out the same.
func Stage(s *netsim.Scenario) (*Staged, error) {
	st := &Staged{nodes: map[netip.Addr]int{}}
	switch {
	case !reflect.DeepEqual(s.Host, netsim.Host{}):
		return nil, errors.New("the host is virtual")
	case len(s.Guessers) > 0:
		return nil, errors.New("guessers know the ports of the virtual host")
	case len(s.Changes) > 0:
		return nil, errors.New("which probes a change finds under way hangs on milliseconds")
	case len(s.Hops) > 0 && s.Hops[0].ECMP != nil:
		return nil, errors.New("the host itself would split the way")
	}
	c := &staging{Staged: st, family: s.Family}
	c.row(s.Hops)
	c.target(s)
	if c.err != nil {
		return nil, c.err
	}
	plan, err := newPlan(st.Topology)
	if err != nil {
		return nil, fmt.Errorf("no topology: %w", err)
	}
	st.plan = plan
	return st, nil
}

// Address returns what the node with an address of the scenario is called in
// the lab, and the zero Address for one that no node has.
func (s *Staged) Address(a netsim.Address) netsim.Address {
	var there []netip.Addr
	for _, ipv6 := range families {
		place, known := s.nodes[a.For(ipv6)]
		switch {
		case !s.elsewhere.IsZero() && a.For(ipv6) == s.elsewhere.For(ipv6):
			there = append(there, targetAddress(1, ipv6))
		case !known:
		case place == len(s.Routers):
			there = append(there, targetAddress(0, ipv6))
		default:
			there = append(there, s.plan.answerAddress(place, ipv6))
		}
	}
	return netsim.AddressOf(there...)
}

// staging is a scenario being translated. The first thing that the kernel
// cannot do ends it.
type staging struct {
	*Staged
	family netsim.Family
	number int   // routers so far, as a scenario numbers them
	ends   []int // routers whose next is the one to come
	err    error
}

func (c *staging) refuse(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// row appends the routers of a list, each behind those before.
func (c *staging) row(hops []netsim.Hop) {
	for i := range hops {
		h := &hops[i]
		if h.ECMP != nil {
			c.split(h.ECMP)
			continue
		}
		for copied := range max(1, h.Count) {
			c.router(h, copied)
		}
	}
}

// split appends the branches. The router before it chooses.
func (c *staging) split(e *netsim.ECMP) {
	if e.By != netsim.ByFlow {
		c.refuse("the kernel does not split by packet")
		return
	}
	before := c.ends
	var after []int
	for _, branch := range e.Branches {
		c.ends = slices.Clone(before)
		c.row(branch)
		after = append(after, c.ends...)
	}
	c.ends = after
}

func (c *staging) router(h *netsim.Hop, copied int) {
	place := len(c.Routers)
	for _, before := range c.ends {
		c.Routers[before].Next = append(c.Routers[before].Next, place)
	}
	c.number++
	name := netsim.N(c.number)
	if len(h.Addresses) > 0 {
		name = h.Addresses[0]
		for range copied {
			name = name.Next()
		}
	}
	c.name(name, place)
	c.Routers = append(c.Routers, c.node(h))
	c.ends = []int{place}
}

// name notes what the scenario calls a node.
func (c *staging) name(a netsim.Address, place int) {
	for _, ipv6 := range families {
		addr := a.For(ipv6)
		if !addr.IsValid() {
			continue
		}
		if !netsim.Planned(addr) {
			c.refuse("addresses outside of the plan")
		}
		if _, twice := c.nodes[addr]; twice {
			c.refuse("two nodes with one address")
		}
		c.nodes[addr] = place
	}
}

// plain refuses a node with anything but the fields named, and delays that
// matter.
func (c *staging) plain(n *netsim.Node, able ...string) {
	v := reflect.ValueOf(*n)
	for i := range v.NumField() {
		if name := v.Type().Field(i).Name; !v.Field(i).IsZero() && !slices.Contains(able, name) {
			c.refuse("no kernel has %s", strings.ToLower(name))
		}
	}
	if n.Delay > maxStagedDelay {
		c.refuse("a link of %v: here none takes time", n.Delay)
	}
	if len(n.Addresses) > 1 {
		c.refuse("a router that answers from several addresses")
	}
}

// hasOnly refuses a struct with anything but the fields named.
func hasOnly[T any](value T, able ...string) bool {
	v := reflect.ValueOf(value)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() && !slices.Contains(able, v.Type().Field(i).Name) {
			return false
		}
	}
	return true
}
