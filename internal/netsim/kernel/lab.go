//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Lab is a topology that stands in the kernel.
type Lab struct {
	Host    *Node // where the agent runs
	Routers []*Node
	Target  *Node

	plan     *plan
	ends     [][2]end // by link: near, far
	services services
}

// Available returns nil when labs can be built here, otherwise why not.
func Available() error {
	err := pinned(func() error {
		ns, err := netns.New()
		if err != nil {
			return err
		}
		return ns.Close()
	})
	if errors.Is(err, unix.EPERM) {
		return errors.New("kernel: network namespaces need root (CAP_SYS_ADMIN and CAP_NET_ADMIN)")
	}
	return err
}

// Build makes a lab. The caller must Close it. When Build fails nothing is
// left behind. Labs share no name, so any number can stand at once, in one
// process or in many.
func Build(t Topology) (*Lab, error) {
	p, err := newPlan(t)
	if err != nil {
		return nil, err
	}
	lab := &Lab{plan: p}
	if err := pinned(lab.build); err != nil {
		return nil, errors.Join(err, lab.Close())
	}
	return lab, nil
}

// Close ends the target's services and lets go of the namespaces. The kernel
// frees each with its links as soon as no process or socket uses it. The lab
// must not be in use; to close it again is nothing.
func (l *Lab) Close() error {
	errs := []error{l.services.close()}
	for place := host; place <= len(l.plan.Routers); place++ {
		if n := l.node(place); n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// Do is Host.Do.
func (l *Lab) Do(f func() error) error { return l.Host.Do(f) }

// Command is Host.Command.
func (l *Lab) Command(ctx context.Context, name string, args ...string) *Cmd {
	return l.Host.Command(ctx, name, args...)
}

// Targets returns the target's addresses of one family.
func (l *Lab) Targets(ipv6 bool) []netip.Addr {
	targets := make([]netip.Addr, max(1, l.plan.Target.Addresses))
	for i := range targets {
		targets[i] = targetAddress(i, ipv6)
	}
	return targets
}

// node returns the node at a place; nil where Build did not get to.
func (l *Lab) node(place int) *Node {
	switch {
	case place == host:
		return l.Host
	case place < len(l.Routers):
		return l.Routers[place]
	case place == len(l.plan.Routers):
		return l.Target
	}
	return nil
}

// build runs on a pinned thread, which it moves between namespaces. Every
// step is done for all nodes before the next, since routes need the links of
// both neighbours.
func (l *Lab) build() error {
	for _, step := range []func() error{l.makeNodes, l.makeLinks, l.makeRoutes, l.makeRules, l.settle} {
		if err := step(); err != nil {
			return err
		}
	}
	return l.Target.Do(func() error { return l.services.open(l.plan.Target) })
}

func (l *Lab) makeNodes() error {
	for place := host; place <= len(l.plan.Routers); place++ {
		n, err := newNode(l.plan.name(place))
		if err != nil {
			return err
		}
		switch place {
		case host:
			first := l.plan.links[l.plan.uplink[0]]
			n.IPv4, n.IPv6 = first.address(near, false), first.address(near, true)
			l.Host = n
		case len(l.plan.Routers):
			n.IPv4, n.IPv6 = targetAddress(0, false), targetAddress(0, true)
			l.Target = n
		default:
			n.IPv4, n.IPv6 = l.plan.answerAddress(place, false), l.plan.answerAddress(place, true)
			l.Routers = append(l.Routers, n)
		}
		if err := errors.Join(l.plan.configure(place), n.loopback()); err != nil {
			return fmt.Errorf("%w (in %s)", err, n.Name)
		}
	}
	return nil
}

func (l *Lab) makeLinks() error {
	for _, wanted := range l.plan.links {
		ends, err := wire(wanted, l.node(wanted.near), l.node(wanted.far))
		if err != nil {
			return err
		}
		l.ends = append(l.ends, ends)
	}
	for i := range l.ends {
		for s := range l.ends[i] {
			e := &l.ends[i][s]
			if err := errors.Join(e.ready(), e.assign()); err != nil {
				return err
			}
		}
	}
	for _, ipv6 := range families {
		if err := l.ownTargets(ipv6); err != nil {
			return err
		}
	}
	return nil
}

// ownTargets gives the target its addresses of one family.
func (l *Lab) ownTargets(ipv6 bool) error {
	for _, a := range l.singleTargets(ipv6) {
		if err := addAddress(l.Target, loopbackIndex, a, a.BitLen()); err != nil {
			return err
		}
	}
	if l.plan.Target.Addresses <= maxSingleAddresses {
		return nil
	}
	whole := &netlink.Route{
		LinkIndex: loopbackIndex,
		Family:    family(ipv6),
		Type:      unix.RTN_LOCAL,
		Table:     unix.RT_TABLE_LOCAL,
		Scope:     netlink.SCOPE_HOST,
		Dst:       targetRange(ipv6),
	}
	if err := l.Target.links.RouteAdd(whole); err != nil {
		return fmt.Errorf("kernel: addresses %v in %s: %w", whole.Dst, l.Target.Name, err)
	}
	return nil
}

// singleTargets returns the target's addresses that an interface has.
func (l *Lab) singleTargets(ipv6 bool) []netip.Addr {
	targets := l.Targets(ipv6)
	if len(targets) > maxSingleAddresses {
		return targets[:1]
	}
	return targets
}

func (l *Lab) makeRoutes() error {
	for place := host; place <= len(l.plan.Routers); place++ {
		if err := l.route(place); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) makeRules() error {
	for place := range len(l.plan.Routers) + 1 {
		n := l.node(place)
		if err := n.Do(func() error { return l.plan.protect(place) }); err != nil {
			return fmt.Errorf("%w (in %s)", err, n.Name)
		}
	}
	return nil
}

// settle waits for what the kernel does in the background and lets go of the
// netlink sockets.
func (l *Lab) settle() error {
	for _, ends := range l.ends {
		for _, e := range ends {
			if err := e.node.owns(e.link.address(e.side, true)); err != nil {
				return err
			}
		}
	}
	for _, a := range l.singleTargets(true) {
		if err := l.Target.owns(a); err != nil {
			return err
		}
	}
	for place := host; place <= len(l.plan.Routers); place++ {
		l.node(place).release()
	}
	return nil
}

func (p *plan) name(place int) string {
	switch place {
	case host:
		return "host"
	case len(p.Routers):
		return "target"
	}
	return fmt.Sprintf("r%d", place+1)
}
