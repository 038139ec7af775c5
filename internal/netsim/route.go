package netsim

import (
	"slices"
	"time"
)

// route is a way to the target that holds from a time on.
type route struct {
	from      time.Duration
	first     exit
	addresses []Address // that its routers answer from
}

// exit is where a packet goes next: to a router, to a split, or, if both are
// nil, to the target.
type exit struct {
	router *router
	split  *split
}

// router is a hop at work.
type router struct {
	*station
	hop  *Hop
	next exit
	// back is how far a loop returns, in routers and in delay on the way home.
	back     int
	backHome time.Duration
}

// split is a choice among ways.
type split struct {
	by       Balance
	salt     uint64
	turn     int
	branches []exit
}

func (s *split) choose(d *datagram) exit {
	if s.by == ByFlow {
		return s.branches[d.flowHash(s.salt)%uint64(len(s.branches))]
	}
	s.turn++
	return s.branches[(s.turn-1)%len(s.branches)]
}

// compiler turns hops into linked routers.
type compiler struct {
	seed   uint64
	nodes  uint64 // stations made so far
	number int    // routers of this route so far, for addresses
	// addresses that routers of this route answer from.
	addresses []Address
}

func (c *compiler) station(n *Node) *station {
	c.nodes++
	return newStation(n, mix(c.seed^c.nodes))
}

func (c *compiler) route(from time.Duration, hops []Hop) route {
	c.number, c.addresses = 0, nil
	first := c.link(hops)(exit{})
	return route{from: from, first: first, addresses: c.addresses}
}

// link makes the routers of a list, in the order of the file, and returns a
// function that ties them together in front of what comes after and returns
// the way in.
func (c *compiler) link(hops []Hop) func(after exit) exit {
	var ties []func(exit) exit
	var row []*router // in a row up to here
	for i := range hops {
		hop := &hops[i]
		if hop.ECMP != nil {
			row = nil
			ties = append(ties, c.split(hop.ECMP))
			continue
		}
		for copied := range max(1, hop.Count) {
			r := c.router(hop, copied)
			row = append(row, r)
			ties = append(ties, tie(r, row))
		}
	}
	return func(after exit) exit {
		for _, tie := range slices.Backward(ties) {
			after = tie(after)
		}
		return after
	}
}

func (c *compiler) router(hop *Hop, copied int) *router {
	c.number++
	r := &router{station: c.station(&hop.Node), hop: hop}
	r.ttl = 255
	if len(hop.Addresses) == 0 {
		r.name = N(c.number)
	} else {
		r.name = hop.Addresses[0]
		for range copied {
			r.name = r.name.Next()
		}
	}
	c.addresses = append(append(c.addresses, r.name), hop.Addresses...)
	for _, reject := range hop.Reject {
		c.addresses = append(c.addresses, reject.From)
	}
	return r
}

// tie sets a router's next: what comes after, or where its loop goes.
func tie(r *router, row []*router) func(exit) exit {
	return func(after exit) exit {
		r.next = after
		if r.hop.Loop > 0 {
			start := len(row) - r.hop.Loop
			r.next = exit{router: row[start]}
			r.back = r.hop.Loop
			for _, again := range row[start:] {
				r.backHome += homeward(again.hop.Delay)
			}
		}
		return exit{router: r}
	}
}

func (c *compiler) split(e *ECMP) func(exit) exit {
	c.nodes++
	s := &split{by: e.By, salt: mix(c.seed ^ c.nodes ^ saltSplit<<56)}
	var ways []func(exit) exit
	for _, branch := range e.Branches {
		ways = append(ways, c.link(branch))
	}
	return func(after exit) exit {
		for _, way := range ways {
			s.branches = append(s.branches, way(after))
		}
		return exit{split: s}
	}
}

// outward and homeward are a link's delay each way; together the whole.
func outward(delay time.Duration) time.Duration  { return delay / 2 }
func homeward(delay time.Duration) time.Duration { return delay - delay/2 }
