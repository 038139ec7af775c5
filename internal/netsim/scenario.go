package netsim

import (
	"fmt"
	"net/netip"
	"time"
)

// Scenario is a network with one target, as data.
type Scenario struct {
	// About says in a sentence what the scenario is for.
	About string `yaml:"about"`
	// Family is ipv4, ipv6 or both (the default).
	Family Family `yaml:"family"`
	// Seed feeds everything random.
	Seed uint64 `yaml:"seed"`
	// Host is the machine that probes.
	Host Host `yaml:"host"`
	// Hops are the routers on the way to the target, nearest first. A hop
	// without address is numbered by its place in the file: n1, n2 and so on,
	// branches included.
	Hops []Hop `yaml:"hops"`
	// Target is where the way ends.
	Target Target `yaml:"target"`
	// Changes replace the hops from a time on, in order of time. A probe
	// takes the route that holds when it is sent.
	Changes []Change `yaml:"changes"`
	// Guessers are senders of forged answers who see nothing of the way.
	Guessers []Guesser `yaml:"guessers"`
	// Expect says what correct traces find. Netsim itself makes no use of it.
	Expect []Expectation `yaml:"expect"`
}

// Change is a new route to the same target. The routers of it are new ones:
// their counts and token buckets start afresh, even at a known address.
type Change struct {
	At   time.Duration `yaml:"at"` // since the network's start
	Hops []Hop         `yaml:"hops"`
}

// Family says which IP versions a network carries.
type Family uint8

// The families. A packet of a version that the network does not carry is
// foreign to it and gets no answer.
const (
	Both Family = iota
	IPv4
	IPv6
)

// String returns the name used in scenario files.
func (f Family) String() string {
	switch f {
	case IPv4:
		return "ipv4"
	case IPv6:
		return "ipv6"
	}
	return "both"
}

// UnmarshalText reads ipv4, ipv6 or both.
func (f *Family) UnmarshalText(text []byte) error {
	for family := Both; family <= IPv6; family++ {
		if family.String() == string(text) {
			*f = family
			return nil
		}
	}
	return fmt.Errorf("%q is not one of ipv4, ipv6, both", text)
}

// Carries reports whether the family includes IPv6 or IPv4.
func (f Family) Carries(ipv6 bool) bool {
	return f == Both || (f == IPv6) == ipv6
}

// Addresses returns the target's address in every family that the scenario
// carries, IPv4 first.
func (s *Scenario) Addresses() []netip.Addr {
	var addrs []netip.Addr
	for _, ipv6 := range []bool{false, true} {
		if s.Family.Carries(ipv6) {
			addrs = append(addrs, s.Target.address(ipv6))
		}
	}
	return addrs
}

// Chain returns a network of n routers, n1 to nn, with the target behind them
// at TTL n+1. The target's round trip takes rtt, the routers' a linear share
// of it: router i answers after rtt × i/(n+1). TCP port 80 of the target is
// open and every other port closed; it answers echo and knows no GRE.
func Chain(n int, rtt time.Duration) *Scenario {
	s := &Scenario{Hops: make([]Hop, n)}
	var before time.Duration
	for i := range n {
		until := rtt * time.Duration(i+1) / time.Duration(n+1)
		s.Hops[i].Addresses = []Address{N(i + 1)}
		s.Hops[i].Delay = until - before
		before = until
	}
	s.Target.Delay = rtt - before
	s.Target.TCP.Open = []uint16{80}
	return s
}
