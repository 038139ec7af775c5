//go:build linux

package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// maxLinks bounds a lab: a link's number is one byte of its addresses.
const maxLinks = 250

// maxTargetAddresses is within the target's range.
const maxTargetAddresses = 32_768

// maxSingleAddresses is how many addresses a target gets one by one. With more
// it owns its whole range, by one route.
const maxSingleAddresses = 250

// minMTU is the smallest MTU of an IPv4 link (RFC 791), minIPv6MTU that of an
// IPv6 link (RFC 8200 section 5).
const (
	minMTU      = 68
	minIPv6MTU  = 1280
	standardMTU = 1500
)

// host is the host's place in a plan. A router's place is its index, the
// target's is the number of routers.
const host = -1

// link is one wire, its near end toward the host.
type link struct {
	number    int // 1 to maxLinks; in the names and addresses of both ends
	near, far int // places
	mtu       int // minMTU to standardMTU
}

// plan is a checked topology with its links.
type plan struct {
	Topology
	links []link
	// uplink is, by place, the index in links of the link toward the host.
	uplink []int
}

// newPlan checks a topology and numbers its links. The link into router n, by
// the first router that feeds it, is number n+1, so that a chain's links count
// as its hops do; the rest follow.
func newPlan(t Topology) (*plan, error) {
	p := &plan{Topology: t, uplink: make([]int, len(t.Routers)+1)}
	p.links = append(p.links, link{number: 1, near: host, far: 0, mtu: standardMTU})
	spare := len(t.Routers) + 2
	fed := make([]bool, len(t.Routers)+1)
	fed[0] = true
	for i, r := range t.Routers {
		if err := p.check(i, fed[i]); err != nil {
			return nil, fmt.Errorf("kernel: router %d: %w", i, err)
		}
		for _, far := range p.next(i) {
			number := far + 1
			if fed[far] {
				number, spare = spare, spare+1
			} else {
				fed[far] = true
				p.uplink[far] = len(p.links)
			}
			p.links = append(p.links, link{number, i, far, cmp.Or(r.MTU, standardMTU)})
		}
	}
	if n := t.Target.Addresses; n < 0 || n > maxTargetAddresses {
		return nil, fmt.Errorf("kernel: %d target addresses, not 0 to %d", n, maxTargetAddresses)
	}
	if last := spare - 1; last > maxLinks {
		return nil, fmt.Errorf("kernel: %d links, more than %d", last, maxLinks)
	}
	if err := p.checkNAT(); err != nil {
		return nil, err
	}
	return p, nil
}

// check says what is wrong with router i, which a router before it feeds or not.
func (p *plan) check(i int, fed bool) error {
	r := p.Routers[i]
	if !fed {
		return errors.New("no router before it leads to it")
	}
	for k, far := range r.Next {
		if far <= i || far > len(p.Routers) {
			return fmt.Errorf("next %d is not behind it", far)
		}
		if slices.Contains(r.Next[:k], far) {
			return fmt.Errorf("next %d is there twice", far)
		}
	}
	switch {
	case r.MTU != 0 && (r.MTU < minMTU || r.MTU > standardMTU):
		return fmt.Errorf("MTU %d is not %d to %d", r.MTU, minMTU, standardMTU)
	case r.NoReturn && i == 0:
		return errors.New("the first router's way back is its link")
	case r.Route == Back && i == 0:
		return errors.New("a host does not forward, so no loop with it")
	case r.Route > Discard:
		return fmt.Errorf("unknown route kind %d", r.Route)
	case r.fates() > 1:
		return errors.New("only one of Blackhole, Reject and Route can be")
	case r.Spread > SpreadFlowLabel:
		return fmt.Errorf("unknown spread %d", r.Spread)
	}
	return r.checkErrors()
}

// checkErrors says what is wrong with what becomes of the router's errors.
func (r Router) checkErrors() error {
	switch {
	case r.DropEvery < 0 || r.DropEvery == 1:
		return fmt.Errorf("DropEvery %d is neither 0 nor above 1", r.DropEvery)
	case r.DropEach < 0 || r.DropEach == 1:
		return fmt.Errorf("DropEach %d is neither 0 nor above 1", r.DropEach)
	case r.Limit != nil && (r.Limit.PerSecond < 0 || r.Limit.Burst < 1):
		return fmt.Errorf("limit %+v is no token bucket", *r.Limit)
	}
	return nil
}

// fates counts the things other than forwarding that a router is asked to do.
func (r Router) fates() int {
	n := 0
	for _, asked := range [...]bool{r.Blackhole, r.Reject != nil, r.Route != Onward} {
		if asked {
			n++
		}
	}
	return n
}

// checkNAT refuses translation that only some paths cross: answers could come
// back past it.
func (p *plan) checkNAT() error {
	for i, r := range p.Routers {
		if r.NAT && i > 0 && p.reaches(0, i) {
			return fmt.Errorf("kernel: router %d: NAT on a parallel branch", i)
		}
	}
	return nil
}

// reaches reports whether a way from a place to the target avoids router without.
func (p *plan) reaches(from, without int) bool {
	if from == len(p.Routers) {
		return true
	}
	return slices.ContainsFunc(p.next(from), func(far int) bool {
		// A place behind the avoided router can only lead further away from it.
		return far > without || far != without && p.reaches(far, without)
	})
}

// next returns the places behind router i.
func (p *plan) next(i int) []int {
	if n := p.Routers[i].Next; len(n) > 0 {
		return n
	}
	return []int{i + 1}
}

// previous returns the place that the way from a node to the host leads to.
func (p *plan) previous(place int) int { return p.links[p.uplink[place]].near }

// downlinks returns the indices of the links behind a place.
func (p *plan) downlinks(place int) []int {
	var down []int
	for i, l := range p.links {
		if l.near == place {
			down = append(down, i)
		}
	}
	return down
}
