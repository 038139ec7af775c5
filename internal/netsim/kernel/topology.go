//go:build linux

package kernel

import "probe-agent/internal/netsim"

// Topology says what to build: a host, routers, a target. Its zero value is a
// host wired to a target.
type Topology struct {
	// Routers in any order in which every router stands behind those that
	// feed it. The host is wired to Routers[0].
	Routers []Router
	Target  Target
	// StockLimits keeps the kernel's default ICMP rate limits in every
	// namespace. Otherwise every limit that a namespace owns is lifted.
	StockLimits bool
}

// Router is one namespace that forwards. The zero value answers every expired
// probe and passes the rest to the next router.
type Router struct {
	// Next holds the indices of the routers behind this one; len(Routers)
	// stands for the target. More than one makes an equal-cost multipath
	// route. Empty means the router that follows in the list.
	Next []int
	// Spread is what a multipath route hashes.
	Spread Spread

	// Silent drops every ICMP error that the router would send.
	Silent bool
	// DropEvery drops one of so many ICMP errors: 2 or more; 0 drops none.
	// The first error of each family is dropped.
	DropEvery int
	// DropEach drops each ICMP error whose number is a multiple of it: 2 or
	// more; 0 drops none. Errors count from 1 in each family.
	DropEach int
	// DropNth drops these of the router's ICMP errors, which count from 1 in
	// each family.
	DropNth []int
	// Limit is a token bucket for ICMP errors, one for each family.
	Limit *Limit
	// StockLimits keeps the kernel's default ICMP rate limits in this router.
	StockLimits bool

	// Blackhole drops what should go on toward the target. Probes that expire
	// here are still answered.
	Blackhole bool
	// NoReturn is a router without a way back to the host: what it would
	// answer or forward to there is lost. Lab.Hops disregards it.
	NoReturn bool
	// ReplyTTL is what the router's errors start with; 0 is the kernel's 64.
	ReplyTTL uint8
	// Reject answers with an unreachable error instead of forwarding. At most
	// one of Blackhole, Reject and Route can be asked for.
	Reject *Reject
	// Route replaces the route toward the target.
	Route RouteKind
	// NAT masquerades what goes on toward the target. Only for a router that
	// every path crosses.
	NAT bool
	// MTU of the links behind this router, 68 to 1500; 0 is 1500. IPv6 has no
	// link under 1280, so there the link gets 1280 and IPv4's routes over it
	// the smaller value, in both directions.
	MTU int
}

// Reject is a firewall's answer: an ICMP destination unreachable with these
// codes (RFC 792 and RFC 1812 section 5.2.7.1; RFC 4443 section 3.1).
type Reject struct {
	IPv4, IPv6 uint8
	// Early answers before the TTL is looked at, so that the error comes for
	// the router's own TTL. Otherwise the router answers that TTL with time
	// exceeded and higher ones with the error.
	Early bool
	// Silent drops without an answer.
	Silent bool
	// Protocols restricts it to these; none means all. Lab.Hops disregards it.
	Protocols []netsim.Protocol
}

// Limit lets Burst errors through at once and PerSecond more, for 0 one a day.
type Limit struct {
	PerSecond, Burst int
}

// RouteKind is what a router's route toward the target does.
type RouteKind uint8

// The kinds of route. All but Onward and Back answer before the TTL is looked
// at. The kernel limits the IPv4 errors of Unreachable, Prohibit and None by a
// token bucket of its own that no namespace can lift: 5 at once, then 1 per
// second and peer. Reject has no such limit.
const (
	Onward      RouteKind = iota // to Next
	Back                         // to where the probe came from: a loop of two routers
	Unreachable                  // IPv4 host unreachable, IPv6 no route
	Prohibit                     // administratively prohibited
	None                         // no route: IPv4 network unreachable, IPv6 no route
	Discard                      // silent, also for the router's own TTL
)

// Spread is what a multipath route hashes to choose among its next hops.
type Spread uint8

// Addresses and protocol always count. ICMP and GRE have no ports that the
// kernel would look at, so with SpreadPorts all their flows to one address
// take one path.
const (
	SpreadPorts     Spread = iota // and ports
	SpreadFlowLabel               // and ports and the IPv6 flow label
)

// Target is the namespace at the far end. Ports that are in no list are
// closed: TCP answers RST, UDP port unreachable. It has no GRE, so GRE gets
// protocol unreachable or, in IPv6, parameter problem 4/1.
type Target struct {
	// Addresses of each family that the target owns, 1 to 32,768; 0 is 1.
	// With more than 250 it also answers for the rest of their range.
	Addresses   int
	TCPOpen     []uint16 // accept and close at once
	TCPFiltered []uint16 // dropped
	UDPEcho     []uint16 // send every datagram back
	UDPFiltered []uint16 // dropped
	// Silent drops everything that comes in.
	Silent bool
	// NoEcho ignores echo requests, NoGRE drops GRE without a word.
	NoEcho, NoGRE bool
	// Elsewhere sends ICMP errors from the target's second address, whichever of
	// its addresses was probed.
	Elsewhere bool
	// Reject answers what comes in with an unreachable error, whatever it is.
	// What the fields from NoEcho on do is nothing that Lab.Hops knows of.
	Reject *Reject
}

// Chain returns host, n routers in a row, target.
func Chain(n int) Topology {
	return Topology{Routers: make([]Router, n)}
}

// Diamond returns a chain of before routers, the last of which spreads flows
// over branches of the given lengths, and after routers behind the point where
// they join. With after 0 they join at the target. before and every length are
// 1 or more.
func Diamond(before, after int, lengths ...int) Topology {
	total := before + after
	for _, n := range lengths {
		total += n
	}
	t := Chain(total)
	join, at := total-after, before
	for _, n := range lengths {
		t.Routers[before-1].Next = append(t.Routers[before-1].Next, at)
		at += n
		t.Routers[at-1].Next = []int{join}
	}
	return t
}
