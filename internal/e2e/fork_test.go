//go:build linux

package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
	"probe-agent/traceroute"
)

// fork is a chain of two routers with a second link, the spare one, from the
// host to the first of them. Over it goes what is for the target's second
// address: what happens to that link must not be felt by a trace to the first.
type fork struct {
	*kernel.Lab
}

// spare is the interface name of both ends of the second link.
const spare = "spare"

// The spare link's addresses, IPv4 and IPv6, and a further one that the host
// can take.
const (
	spareHost4, spareRouter4, spareOther4 = "198.18.250.1", "198.18.250.2", "198.18.250.9"
	spareHost6, spareRouter6, spareOther6 = "2001:db8:fa::1", "2001:db8:fa::2", "2001:db8:fa::9"
)

// The hardware addresses of the spare link's ends.
const spareHostMAC, spareRouterMAC = "02:00:00:00:fa:01", "02:00:00:00:fa:02"

// newFork builds the lab; it ends with the test.
func newFork(t testing.TB) fork {
	t.Helper()
	topology := kernel.Chain(2)
	topology.Target = endpoint()
	topology.Target.Addresses = 2
	f := fork{kerneltest.Build(t, topology)}
	f.addSpare(t)
	for _, ipv6 := range []bool{false, true} {
		// Without a default route, what has no route of its own has none.
		on(t, f.Host, func() error {
			routes, err := netlink.RouteListFiltered(family(ipv6), &netlink.Route{Dst: nil}, netlink.RT_FILTER_DST)
			if err != nil {
				return err
			}
			only := routes[0]
			only.Dst = single(f.bystander(ipv6))
			return errors.Join(netlink.RouteDel(&routes[0]), netlink.RouteAdd(&only))
		})
	}
	f.restore(t)
	return f
}

func family(ipv6 bool) int {
	if ipv6 {
		return netlink.FAMILY_V6
	}
	return netlink.FAMILY_V4
}

// on runs steps in a node and fails the test with the first error.
func on(t testing.TB, node *kernel.Node, steps ...func() error) {
	t.Helper()
	err := node.Do(func() error {
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("in %s: %v", node.Name, err)
	}
}

// addSpare makes the second link.
func (f fork) addSpare(t testing.TB) {
	t.Helper()
	router, err := os.Open(f.Routers[0].Path())
	if err != nil {
		t.Fatal(err)
	}
	defer router.Close()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.NumTxQueues, attrs.NumRxQueues = spare, 1, 1
	attrs.HardwareAddr = mac(t, spareHostMAC)
	on(t, f.Host, func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: attrs, PeerName: spare, PeerHardwareAddr: mac(t, spareRouterMAC), PeerNamespace: netlink.NsFd(int(router.Fd())),
		})
	})
}

// affected and bystander are the target's addresses behind the spare link and
// behind the other one.
func (f fork) affected(ipv6 bool) netip.Addr  { return f.Targets(ipv6)[1] }
func (f fork) bystander(ipv6 bool) netip.Addr { return f.Targets(ipv6)[0] }

// hops is what a trace to either address shows as long as nothing is wrong.
func (f fork) hops(method traceroute.Method, target netip.Addr, packets int) []hop {
	hops, _ := expected(f.Lab, traceroute.Spec{Target: target, Method: method, PacketsPerTTL: packets})
	if target == f.affected(target.Is6()) {
		router := addr(spareRouter4)
		if target.Is6() {
			router = addr(spareRouter6)
		}
		for i := range hops[0].Nodes {
			hops[0].Nodes[i].Addr = router.String()
		}
	}
	return hops
}

func mac(t testing.TB, s string) net.HardwareAddr {
	t.Helper()
	a, err := net.ParseMAC(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// prefix is an address with the length of its link's prefix.
func prefix(s string) *net.IPNet {
	a := addr(s)
	if a.Is6() {
		return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(64, 128)}
	}
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(24, 32)}
}

// single is the prefix of one address.
func single(a netip.Addr) *net.IPNet {
	return &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}
}

// restore brings the spare link, its addresses and its routes into the state
// that they should be in, whatever state they are in, and returns when the
// kernel sends and receives over it.
func (f fork) restore(t testing.TB) {
	t.Helper()
	r1, r2 := f.Routers[0], f.Routers[1]
	on(t, r1, func() error { return spareUp(t, spareRouter4, spareRouter6) })
	on(t, f.Host, func() error { return spareUp(t, spareHost4, spareHost6) })
	// Permanent, or what waits for a neighbour would get lost in another way.
	on(t, r1, func() error { return neighbours(t, spareHostMAC, spareHost4, spareHost6, spareOther4, spareOther6) })
	on(t, f.Host, func() error { return neighbours(t, spareRouterMAC, spareRouter4, spareRouter6) })
	for _, ipv6 := range []bool{false, true} {
		gateway, host, before, own := addr(spareRouter4), addr(spareHost4), addr("198.18.2.1"), r2.IPv4
		if ipv6 {
			gateway, host, before, own = addr(spareRouter6), addr(spareHost6), addr("2001:db8:2::1"), r2.IPv6
		}
		to := single(f.affected(ipv6))
		on(t, f.Host, func() error {
			return netlink.RouteReplace(&netlink.Route{Dst: to, Gw: gateway.AsSlice(), LinkIndex: spareIndex(t)})
		})
		back := &net.IPNet{IP: host.AsSlice(), Mask: prefix(host.String()).Mask}
		back.IP = back.IP.Mask(back.Mask)
		on(t, r2, func() error {
			return netlink.RouteReplace(&netlink.Route{Dst: back, Gw: before.AsSlice(), Src: own.AsSlice()})
		})
	}
}

// spareUp sets up one end of the spare link, in the namespace that the thread
// is in.
func spareUp(t testing.TB, addresses ...string) error {
	t.Helper()
	link, err := netlink.LinkByName(spare)
	if err != nil {
		return err
	}
	if err := errors.Join(netlink.LinkSetMTU(link, 1500), netlink.LinkSetUp(link)); err != nil {
		return err
	}
	for _, a := range addresses {
		if err := own(link, addr(a)); err != nil {
			return err
		}
	}
	_, err = netlink.LinkByName(spare) // asking for a link settles its state
	return err
}

// own gives a link an address, and returns when the kernel takes packets to it
// as its own: of IPv6 addresses it sends word.
func own(link netlink.Link, a netip.Addr) error {
	address := &netlink.Addr{IPNet: prefix(a.String())}
	if a.Is4() {
		return netlink.AddrReplace(link, address)
	}
	news, err := nl.Subscribe(unix.NETLINK_ROUTE, unix.RTNLGRP_IPV6_ROUTE)
	if err != nil {
		return err
	}
	defer news.Close()
	address.Flags = unix.IFA_F_NODAD
	if err := netlink.AddrReplace(link, address); err != nil {
		return err
	}
	for {
		found, err := netlink.RouteGet(a.AsSlice())
		if err == nil && len(found) == 1 && found[0].Type == unix.RTN_LOCAL {
			return nil
		}
		if _, _, err := news.Receive(); err != nil {
			return err
		}
	}
}

// neighbours tells the namespace that the thread is in who is at the other end
// of the spare link.
func neighbours(t testing.TB, hardware string, addresses ...string) error {
	t.Helper()
	for _, a := range addresses {
		err := netlink.NeighSet(&netlink.Neigh{
			LinkIndex: spareIndex(t), State: netlink.NUD_PERMANENT, IP: addr(a).AsSlice(), HardwareAddr: mac(t, hardware),
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// spareIndex is the index of the spare link in the namespace that the thread
// is in.
func spareIndex(t testing.TB) int {
	t.Helper()
	link, err := netlink.LinkByName(spare)
	if err != nil {
		t.Fatal(err)
	}
	return link.Attrs().Index
}

// fullQueue gives the spare link a queue without any room, in the namespace
// that the thread is in: whatever is sent over it meets ENOBUFS.
func fullQueue(t testing.TB) error {
	t.Helper()
	request := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	request.AddData(&nl.TcMsg{Family: unix.AF_UNSPEC, Ifindex: int32(spareIndex(t)), Parent: netlink.HANDLE_ROOT})
	request.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("pfifo")))
	const packets = 0 // struct tc_fifo_qopt
	request.AddData(nl.NewRtAttr(nl.TCA_OPTIONS, binary.NativeEndian.AppendUint32(nil, packets)))
	_, err := request.Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// noQueue takes the queue of fullQueue away.
func noQueue(t testing.TB) error {
	t.Helper()
	return netlink.QdiscDel(&netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: spareIndex(t), Parent: netlink.HANDLE_ROOT}, QdiscType: "pfifo",
	})
}
