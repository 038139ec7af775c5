package netsim

import (
	"net/netip"
	"slices"
	"time"
)

// Delivery is a packet on its way back to the prober.
type Delivery struct {
	After time.Duration // since the packet that caused it was sent
	Bytes []byte        // whole IP packet; the receiver's own
}

// Carrier takes packets and says what comes of them. A Network is one, and so
// are several that were joined.
type Carrier interface {
	// Receive takes the IP packet that the prober sends at a time since the
	// start. Times should not go back. The packet is not kept; the slice
	// returned is valid until the next call. Not safe for concurrent use.
	Receive(at time.Duration, packet []byte) []Delivery
}

// Network is a scenario at work. Its state is what its nodes counted: token
// buckets, occurrences, turns. It is not safe for concurrent use.
type Network struct {
	host    Host
	family  Family
	target  *Target
	also    []netip.Prefix
	at      [2]netip.Addr // the target's addresses by family
	routes  []route
	station *station // the target's
	counts  Counts

	guessers []Guesser
	guessed  bool // they have begun
	seed     uint64

	probe, quoted []byte // scratch: the packet as it changes on its way, and as quoted
	deliveries    []Delivery
	way           []*station
}

// Counts is what a network saw.
type Counts struct {
	Received  int      // packets in all
	Malformed int      // no valid IP header
	Foreign   int      // to no destination of this network, or of a family it does not carry
	Lost      int      // to Loss, on the way out
	Refused   int      // reached an endpoint that dropped them for a wrong checksum or form
	Reached   int      // reached the target, whatever came of it
	Answers   int      // packets sent back, copies included
	ByTTL     [256]int // by the TTL or hop limit that they were sent with
}

// New builds the network of a scenario, which must not be changed afterwards.
// The error is Validate's.
func New(s *Scenario) (*Network, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	n := &Network{host: s.Host, family: s.Family, target: &s.Target, also: s.Target.Also, guessers: s.Guessers, seed: mix(s.Seed)}
	for family, ipv6 := range []bool{false, true} {
		if s.Family.Carries(ipv6) {
			n.at[family] = s.Target.address(ipv6)
		}
	}
	c := compiler{seed: mix(s.Seed)}
	n.station = c.station(&s.Target.Node)
	n.station.name = AddressOf(s.Target.address(false), s.Target.address(true))
	n.station.ttl = 64
	n.routes = append(n.routes, c.route(0, s.Hops))
	for _, change := range s.Changes {
		n.routes = append(n.routes, c.route(change.At, change.Hops))
	}
	return n, nil
}

// Host returns the prober's host as the scenario describes it.
func (n *Network) Host() Host {
	host := n.host
	if host.Source.IsZero() {
		source := host.source()
		for _, ipv6 := range []bool{false, true} {
			if n.family.Carries(ipv6) {
				host.Source = AddressOf(append(host.Source.list(), source.For(ipv6))...)
			}
		}
	}
	return host
}

// Counts returns what the network saw so far.
func (n *Network) Counts() Counts { return n.counts }

// Owns reports whether the network has a way to the address.
func (n *Network) Owns(target netip.Addr) bool {
	family := 0
	if target.Is6() {
		family = 1
	}
	if n.at[family] == target {
		return true
	}
	return n.at[family].IsValid() && slices.ContainsFunc(n.also, func(p netip.Prefix) bool { return p.Contains(target) })
}

// Receive implements Carrier.
func (n *Network) Receive(at time.Duration, packet []byte) []Delivery {
	n.deliveries = n.deliveries[:0]
	n.counts.Received++
	n.probe = append(n.probe[:0], packet...)
	d, ok := readDatagram(n.probe)
	if !ok {
		n.counts.Malformed++
		return nil
	}
	n.counts.ByTTL[d.ttl()]++
	if !n.Owns(d.target()) {
		n.counts.Foreign++
		return nil
	}
	w := walk{network: n, datagram: d, sent: at, prober: d.source(), probed: d.target(), way: n.way[:0]}
	if !n.guessed {
		n.guessed = true
		for i := range n.guessers {
			w.guess(&n.guessers[i], i)
		}
	}
	w.run(n.routeAt(at))
	n.way = w.way
	n.counts.Answers += len(n.deliveries)
	return n.deliveries
}

func (n *Network) routeAt(at time.Duration) exit {
	current := n.routes[0]
	for _, r := range n.routes[1:] {
		if at >= r.from {
			current = r
		}
	}
	return current.first
}

// Join returns a carrier that hands each packet to the first network that
// owns its destination; packets to none of them vanish.
func Join(networks ...*Network) Carrier { return joined(networks) }

type joined []*Network

func (j joined) Receive(at time.Duration, packet []byte) []Delivery {
	d, ok := readDatagram(packet)
	if !ok {
		return nil
	}
	for _, n := range j {
		if n.Owns(d.target()) {
			return n.Receive(at, packet)
		}
	}
	return nil
}
