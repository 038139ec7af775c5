//go:build linux

package e2e

import (
	"slices"
	"syscall"
	"testing"

	"probe-agent/traceroute"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hostFault is something that goes wrong on the host and concerns the spare
// link, or the target behind it, only.
type hostFault struct {
	name string
	// impose makes it so; lift, if there is one, and then fork.restore take it
	// back.
	impose, lift func(t testing.TB, f fork)
	// want4 and want6 are the errors of the traces that it hits; 0: their
	// probes are lost.
	want4, want6 syscall.Errno
	// only4 are the methods that it hits in IPv4; nil: all.
	only4 []traceroute.Method
	// spares6 says that IPv6 goes on as before.
	spares6 bool
}

// hits tells whether a trace to the target behind the spare link is hit, and
// which error it ends with; 0 for loss.
func (h *hostFault) hits(method traceroute.Method, ipv6 bool) (want syscall.Errno, hit bool) {
	if h == nil {
		return 0, false
	}
	if ipv6 {
		return h.want6, !h.spares6
	}
	return h.want4, h.only4 == nil || slices.Contains(h.only4, method)
}

// hostFaults are all of them.
func hostFaults() []hostFault {
	drop := &expr.Verdict{Kind: expr.VerdictDrop}
	reject := func(code uint8) expr.Any { return &expr.Reject{Type: unix.NFT_REJECT_ICMP_UNREACH, Code: code} }
	return []hostFault{
		{name: "firewall drops", impose: firewall(drop, drop), lift: noFirewall, want4: unix.EPERM, want6: unix.EPERM},
		{name: "firewall rejects", impose: firewall(reject(13), reject(1)), lift: noFirewall, want4: unix.EPERM, want6: unix.EPERM},
		{name: "no route", impose: dropRoutes, want4: unix.ENETUNREACH, want6: unix.ENETUNREACH},
		{name: "unreachable route", impose: routes(unix.RTN_UNREACHABLE), lift: dropRoutes, want4: unix.EHOSTUNREACH, want6: unix.EHOSTUNREACH},
		{name: "prohibiting route", impose: routes(unix.RTN_PROHIBIT), lift: dropRoutes, want4: unix.EACCES, want6: unix.EACCES},
		{name: "discarding route", impose: routes(unix.RTN_BLACKHOLE), lift: dropRoutes, want4: unix.EINVAL, want6: unix.EINVAL},
		{name: "interface down", impose: interfaceDown, want4: unix.ENETUNREACH, want6: unix.ENETUNREACH},
		{name: "cable unplugged", impose: unplug},
		{name: "address removed", impose: removeAddress, want4: unix.ENETUNREACH, spares6: true},
		{name: "queue full", impose: fillQueue, lift: emptyQueue, want4: unix.ENOBUFS, want6: unix.ENOBUFS},
		{
			// IPv6 has no links so narrow: the kernel takes it away.
			name: "MTU below the probe", impose: narrow,
			want4: unix.EMSGSIZE, only4: []traceroute.Method{traceroute.GRE, traceroute.GREICMP}, want6: unix.ENETUNREACH,
		},
	}
}

// firewall returns what makes the host's firewall do something to all packets
// for the target behind the spare link.
func firewall(ipv4, ipv6 expr.Any) func(testing.TB, fork) {
	return func(t testing.TB, f fork) {
		t.Helper()
		on(t, f.Host, func() error {
			conn, err := nftables.New()
			if err != nil {
				return err
			}
			for name, family := range map[string]nftables.TableFamily{"four": nftables.TableFamilyIPv4, "six": nftables.TableFamilyIPv6} {
				action, target, offset := ipv4, f.affected(false), uint32(16)
				if family == nftables.TableFamilyIPv6 {
					action, target, offset = ipv6, f.affected(true), 24
				}
				table := conn.AddTable(&nftables.Table{Name: name, Family: family})
				chain := conn.AddChain(&nftables.Chain{
					Name: "out", Table: table, Type: nftables.ChainTypeFilter,
					Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
				})
				conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
					&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: uint32(target.BitLen() / 8)},
					&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: target.AsSlice()},
					action,
				}})
			}
			return conn.Flush()
		})
	}
}

func noFirewall(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, func() error {
		conn, err := nftables.New()
		if err != nil {
			return err
		}
		conn.FlushRuleset()
		return conn.Flush()
	})
}

func dropRoutes(t testing.TB, f fork) {
	t.Helper()
	for _, ipv6 := range []bool{false, true} {
		on(t, f.Host, func() error {
			return netlink.RouteDel(&netlink.Route{Dst: single(f.affected(ipv6)), Family: family(ipv6)})
		})
	}
}

// routes returns what puts routes of a kind in the place of those over the
// spare link.
func routes(kind int) func(testing.TB, fork) {
	return func(t testing.TB, f fork) {
		t.Helper()
		dropRoutes(t, f)
		for _, ipv6 := range []bool{false, true} {
			on(t, f.Host, func() error {
				return netlink.RouteAdd(&netlink.Route{Dst: single(f.affected(ipv6)), Type: kind, Family: family(ipv6)})
			})
		}
	}
}

// spareLink does something to one end of the spare link.
func spareLink(t testing.TB, f func(netlink.Link) error) func() error {
	t.Helper()
	return func() error {
		link, err := netlink.LinkByName(spare)
		if err != nil {
			return err
		}
		return f(link)
	}
}

func interfaceDown(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, spareLink(t, netlink.LinkSetDown))
}

func unplug(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Routers[0], spareLink(t, netlink.LinkSetDown))
	// Asking for a link settles its state: the host knows by now.
	on(t, f.Host, spareLink(t, func(netlink.Link) error { return nil }))
}

// removeAddress takes the interface its only IPv4 address, and the routes over
// it with that. An IPv6 route lasts, and is used from another address.
func removeAddress(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, spareLink(t, func(link netlink.Link) error {
		return netlink.AddrDel(link, &netlink.Addr{IPNet: prefix(spareHost4)})
	}))
}

func fillQueue(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, func() error { return fullQueue(t) })
}

func emptyQueue(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, func() error { return noQueue(t) })
}

// narrowMTU is below the 88 bytes of a GRE probe, and above all others.
const narrowMTU = 84

func narrow(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, spareLink(t, func(link netlink.Link) error { return netlink.LinkSetMTU(link, narrowMTU) }))
}
