//go:build linux

package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// readyLimit is how long the kernel may take to finish, in the background,
// what it was told to set up.
const readyLimit = 5 * time.Second

// readyPoll is how often to ask whether it has.
const readyPoll = time.Millisecond

// end is one side of a link in its node.
type end struct {
	node  *Node
	link  link
	side  side
	index int // of the interface
}

// wire makes the veth pair of a link and brings both ends up. The pair is
// born inside the two namespaces, so the caller's own never sees it.
func wire(l link, a, b *Node) (ends [2]end, err error) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = l.name()
	attrs.MTU = max(l.mtu, minIPv6MTU)
	attrs.HardwareAddr = l.mac(near)
	attrs.NumTxQueues, attrs.NumRxQueues = 1, 1
	veth := &netlink.Veth{
		LinkAttrs:        attrs,
		PeerName:         l.name(),
		PeerMTU:          uint32(attrs.MTU),
		PeerHardwareAddr: l.mac(far),
		PeerNamespace:    netlink.NsFd(int(b.ns)),
	}
	if err := a.links.LinkAdd(veth); err != nil {
		return ends, fmt.Errorf("kernel: link %s from %s to %s: %w", l.name(), a.Name, b.Name, err)
	}
	ends = [2]end{{node: a, link: l, side: near}, {node: b, link: l, side: far}}
	for i := range ends {
		if err := ends[i].up(); err != nil {
			return ends, fmt.Errorf("kernel: link %s in %s: %w", l.name(), ends[i].node.Name, err)
		}
	}
	return ends, nil
}

func (e *end) up() error {
	found, err := e.node.links.LinkByName(e.link.name())
	if err != nil {
		return err
	}
	e.index = found.Attrs().Index
	return e.node.links.LinkSetUp(found)
}

// ready waits until the kernel would send over this end. Until then it drops
// silently. Since Linux 6.9 asking for a link settles its state.
func (e *end) ready() error {
	return await(fmt.Sprintf("link %s in %s", e.link.name(), e.node.Name), func() (bool, error) {
		found, err := e.node.links.LinkByIndex(e.index)
		return err == nil && found.Attrs().OperState == netlink.OperUp, err
	})
}

// owns waits until the kernel takes packets to an IPv6 address as the node's.
// It makes an address effective in the background, even one that needs no
// duplicate address detection.
func (n *Node) owns(a netip.Addr) error {
	return await(fmt.Sprintf("address %v in %s", a, n.Name), func() (bool, error) {
		routes, err := n.links.RouteGet(a.AsSlice())
		if errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) {
			return false, nil
		}
		return err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL, err
	})
}

// await asks until what is so, at most for readyLimit.
func await(what string, so func() (bool, error)) error {
	for deadline := time.Now().Add(readyLimit); ; time.Sleep(readyPoll) {
		yes, err := so()
		if err != nil {
			return fmt.Errorf("kernel: %s: %w", what, err)
		}
		if yes {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("kernel: %s is not ready after %v", what, readyLimit)
		}
	}
}

// assign gives the end its addresses, and the addresses of the other end as
// permanent neighbours: no probe waits for ARP or neighbour discovery and a
// capture shows nothing but the traffic under test.
func (e *end) assign() error {
	other := near + far - e.side
	for _, ipv6 := range families {
		if err := addAddress(e.node, e.index, e.link.address(e.side, ipv6), linkBits(ipv6)); err != nil {
			return err
		}
		neighbour := &netlink.Neigh{
			LinkIndex:    e.index,
			State:        netlink.NUD_PERMANENT,
			IP:           e.link.address(other, ipv6).AsSlice(),
			HardwareAddr: e.link.mac(other),
		}
		if err := e.node.links.NeighSet(neighbour); err != nil {
			return fmt.Errorf("kernel: neighbour %v in %s: %w", neighbour.IP, e.node.Name, err)
		}
	}
	return nil
}

// addAddress adds an address without duplicate address detection.
func addAddress(n *Node, index int, a netip.Addr, bits int) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Index = index
	address := &netlink.Addr{IPNet: ipNet(a, bits)}
	if a.Is6() {
		address.Flags = unix.IFA_F_NODAD
	}
	if err := n.links.AddrAdd(&netlink.Dummy{LinkAttrs: attrs}, address); err != nil {
		return fmt.Errorf("kernel: address %v in %s: %w", a, n.Name, err)
	}
	return nil
}

// loopback brings lo up.
func (n *Node) loopback() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Index = loopbackIndex
	if err := n.links.LinkSetUp(&netlink.Dummy{LinkAttrs: attrs}); err != nil {
		return fmt.Errorf("kernel: loopback in %s: %w", n.Name, err)
	}
	return nil
}

// loopbackIndex is the interface index of lo in every namespace.
const loopbackIndex = 1
