package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// uplinks is a host with two ways into the Internet, up1 and up2, each with
// addresses of its own, and a far side that has every address there is.
type uplinks struct {
	tap   int         // sees what arrives on the far side
	index map[int]int // number of the uplink, by the far interface's index
}

// newUplinks makes them and takes the test's thread to the host.
func newUplinks(t testing.TB) *uplinks {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces and raw sockets")
	}
	runtime.LockOSThread()
	home := must[netns.NsHandle](t)(netns.Get())
	far := must[netns.NsHandle](t)(netns.New())
	near := must[netns.NsHandle](t)(netns.New())
	u := &uplinks{index: map[int]int{}}
	t.Cleanup(func() {
		check(t, netns.Set(home))
		for _, ns := range []netns.NsHandle{home, near, far} {
			check(t, ns.Close())
		}
		runtime.UnlockOSThread()
	})
	inFar := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), int(far))
	ip(t, "link set lo up")
	for i := 1; i <= 2; i++ {
		ip(t, "link add up%d type veth peer name far%d netns %s", i, i, inFar)
		ip(t, "link set up%d address 02:00:00:00:00:0%d up", i, i)
		ip(t, "address add 10.%d.0.2/24 dev up%d", i, i)
		ip(t, "address add 2001:db8:%d::2/64 dev up%d nodad", i, i)
	}
	check(t, netns.Set(far))
	ip(t, "link set lo up")
	for i := 1; i <= 2; i++ {
		write(t, fmt.Sprintf("/proc/sys/net/ipv6/conf/far%d/addr_gen_mode", i), "1")
		ip(t, "link set far%d address 02:00:00:00:01:0%d up", i, i)
		link := must[netlink.Link](t)(netlink.LinkByName(fmt.Sprintf("far%d", i)))
		u.index[link.Attrs().Index] = i
	}
	u.openTap(t)
	check(t, netns.Set(near))
	for i := 1; i <= 2; i++ {
		for _, gateway := range []string{fmt.Sprintf("10.%d.0.1", i), fmt.Sprintf("2001:db8:%d::1", i)} {
			ip(t, "neighbour replace %s lladdr 02:00:00:00:01:0%d dev up%d nud permanent", gateway, i, i)
		}
	}
	owned(t, near, netip.MustParseAddr("2001:db8:1::2"), netip.MustParseAddr("2001:db8:2::2"))
	return u
}

func (u *uplinks) openTap(t testing.TB) {
	t.Helper()
	u.tap = must[int](t)(unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(port16(unix.ETH_P_ALL))))
	t.Cleanup(func() { check(t, unix.Close(u.tap)) })
}

// strayLoopback reports whether a packet to a loopback address has arrived.
func (u *uplinks) strayLoopback(t testing.TB) (to netip.Addr, seen bool) {
	t.Helper()
	for {
		var b [256]byte
		n, _, err := unix.Recvfrom(u.tap, b[:], unix.MSG_DONTWAIT)
		if err != nil {
			return netip.Addr{}, false
		}
		if n >= ip4HeaderLen && b[0]>>4 == 4 && b[16] == 127 {
			return netip.AddrFrom4([4]byte(b[16:20])), true
		}
	}
}

// ip runs ip(8) in the namespace at hand.
func ip(t testing.TB, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	if output, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", line, err, output)
	}
}

// arrival waits for a packet to target and returns the uplink that it came by
// and its source.
func (u *uplinks) arrival(t testing.TB, target netip.Addr) (uplink int, source netip.Addr) {
	t.Helper()
	poll := []unix.PollFd{{Fd: int32(u.tap), Events: unix.POLLIN}}
	for {
		if n, err := unix.Poll(poll, int(patience.Milliseconds())); err != nil && !errors.Is(err, unix.EINTR) || n == 0 {
			t.Fatalf("nothing arrived for %v: %v", target, err)
		}
		var b [256]byte
		n, from, err := unix.Recvfrom(u.tap, b[:], unix.MSG_DONTWAIT)
		if err != nil {
			continue
		}
		to, link := netip.Addr{}, from.(*unix.SockaddrLinklayer)
		switch {
		case n >= ip6HeaderLen && b[0]>>4 == 6:
			source, to = netip.AddrFrom16([16]byte(b[8:24])), netip.AddrFrom16([16]byte(b[24:40]))
		case n >= ip4HeaderLen && b[0]>>4 == 4:
			source, to = netip.AddrFrom4([4]byte(b[12:16])), netip.AddrFrom4([4]byte(b[16:20]))
		}
		if to == target && link.Pkttype == unix.PACKET_HOST {
			return u.index[link.Ifindex], source
		}
	}
}

// address is an uplink's.
func (u *uplinks) address(uplink int, v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:%d::2", uplink))
	}
	return netip.MustParseAddr(fmt.Sprintf("10.%d.0.2", uplink))
}

// target returns one of many addresses behind both uplinks.
func (u *uplinks) target(n int, v6 bool) netip.Addr {
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("2001:db8:ffff::%x", n+1))
	}
	return netip.AddrFrom4([4]byte{198, 51, byte(n >> 8), byte(n)})
}

// probe sends two probes of a flow by its route and returns where they came
// out: the uplink and the source, which must be the same for both.
func (u *uplinks) probe(t testing.TB, transport *Transport, typ packet.Type, target netip.Addr, ports [2]uint16) (uplink int, source netip.Addr) {
	t.Helper()
	flow := packet.RouteQuery{Target: target, Protocol: typ.Protocol(target.Is6())}
	if typ == packet.UDP || typ == packet.TCP {
		flow.SourcePort, flow.TargetPort = ports[0], ports[1]
	}
	var routes [1]packet.Route
	if err := transport.Routes([]packet.RouteQuery{flow}, routes[:]); err != nil {
		t.Fatalf("%v to %v: %v", typ, target, err)
	}
	template, err := packet.NewTemplate(packet.Flow{
		Type: typ, Source: routes[0].Source, Target: target, SourcePort: ports[0], TargetPort: ports[1],
		EchoID: 7, Checksum: 7, Key: 7, FlowLabel: 7,
	})
	check(t, err)
	var ways [2]struct {
		uplink int
		source netip.Addr
	}
	for i := range ways {
		b := make([]byte, packet.MaxProbeLen)
		n := template.Build(b, packet.ProbeID{TTL: uint8(1 + i), IPID: uint16(1 + i), Sequence: uint32(1 + i), Tag: uint64(1 + i)})
		sendAll(t, transport, packet.Outgoing{Bytes: b[:n], Interface: routes[0].Interface})
		ways[i].uplink, ways[i].source = u.arrival(t, target)
	}
	if ways[0] != ways[1] || ways[0].source != routes[0].Source {
		t.Errorf("%v to %v: route %v, probes came as %v", typ, target, routes[0], ways)
	}
	return ways[0].uplink, ways[0].source
}

var allTypes = []packet.Type{packet.ICMP, packet.UDP, packet.TCP, packet.GRE, packet.GREEcho}

// Where two uplinks have equal costs, each probe leaves by the one whose
// address it has, whatever is hashed, and all probes of a flow by the same.
func TestEqualUplinks(t *testing.T) {
	u := newUplinks(t)
	ip(t, "route add default nexthop via 10.1.0.1 nexthop via 10.2.0.1")
	ip(t, "-6 route add default nexthop via 2001:db8:1::1 nexthop via 2001:db8:2::1")
	for policy := range 3 {
		for _, setting := range []string{"ipv4", "ipv6"} {
			write(t, "/proc/sys/net/"+setting+"/fib_multipath_hash_policy", fmt.Sprint(policy))
		}
		for name, options := range map[string]Options{"": {}, "by protocol 255": {plainLookup: true}} {
			transport := open(t, options)
			for _, v6 := range []bool{false, true} {
				for _, typ := range allTypes {
					used := map[int]int{}
					for n := range 32 {
						uplink, source := u.probe(t, transport, typ, u.target(n, v6), [2]uint16{40000 + uint16(n), 443})
						used[uplink]++
						if source != u.address(uplink, v6) {
							t.Errorf("policy %d %s: %v from %v left by uplink %d", policy, name, typ, source, uplink)
						}
					}
					if len(used) != 2 {
						t.Errorf("policy %d %s: %v IPv6 %v: uplinks %v, want both", policy, name, typ, v6, used)
					}
				}
			}
		}
	}
}

// Rules by protocol, source, mark and interface hold for probes and their
// source address.
func TestUplinkRules(t *testing.T) {
	u := newUplinks(t)
	for _, family := range []string{"-4", "-6"} {
		gateways := map[string][2]string{"-4": {"10.1.0.1", "10.2.0.1"}, "-6": {"2001:db8:1::1", "2001:db8:2::1"}}[family]
		ip(t, "%s route add default via %s", family, gateways[0])
		ip(t, "%s route add default via %s table 252", family, gateways[1])
	}
	second4, second6 := u.address(2, false), u.address(2, true)
	plain, marked := open(t, Options{}), open(t, Options{Mark: 7})
	chosen, bound := open(t, Options{Source4: second4, Source6: second6}), open(t, Options{Interface: "up2"})
	for _, c := range []struct {
		rule4, rule6 string
		via          *Transport
		second       []packet.Type // that take uplink 2
	}{
		{"ipproto icmp", "ipproto ipv6-icmp", plain, []packet.Type{packet.ICMP}},
		{"ipproto udp", "ipproto udp", plain, []packet.Type{packet.UDP}},
		{"ipproto tcp", "ipproto tcp", plain, []packet.Type{packet.TCP}},
		{"ipproto gre", "ipproto gre", plain, []packet.Type{packet.GRE, packet.GREEcho}},
		{"from 10.2.0.2", "from 2001:db8:2::2", chosen, allTypes},
		{"from 10.2.0.2", "from 2001:db8:2::2", bound, allTypes},
		{"from 10.2.0.2", "from 2001:db8:2::2", plain, nil},
		{"fwmark 7", "fwmark 7", marked, allTypes},
		{"fwmark 7", "fwmark 7", plain, nil},
		// Raw packets have no ports for the kernel: these probes go the other
		// way, but with the address of that.
		{"dport 443", "dport 443", plain, nil},
	} {
		rules := map[bool]string{false: c.rule4, true: c.rule6}
		for v6, rule := range rules {
			family := map[bool]string{false: "-4", true: "-6"}[v6]
			ip(t, "%s rule add %s lookup 252", family, rule)
			for _, typ := range allTypes {
				want := 1
				if slices.Contains(c.second, typ) {
					want = 2
				}
				if uplink, source := u.probe(t, c.via, typ, u.target(0, v6), [2]uint16{40000, 443}); uplink != want || source != u.address(want, v6) {
					t.Errorf("%s: %v from %v left by uplink %d, want %d", rule, typ, source, uplink, want)
				}
			}
			ip(t, "%s rule delete %s lookup 252", family, rule)
		}
	}
}

// Routes with so many next hops that the kernel's answer is longer than what is
// read of it are as good as any.
func TestManyNextHops(t *testing.T) {
	u := newUplinks(t)
	var hops4, hops6 strings.Builder
	for n := range 64 {
		fmt.Fprintf(&hops4, " nexthop via 10.%d.0.%d", n%2+1, n+3)
		fmt.Fprintf(&hops6, " nexthop via 2001:db8:%d::%x", n%2+1, n+3)
	}
	ip(t, "route add default%s", hops4.String())
	ip(t, "-6 route add default%s", hops6.String())
	transport := open(t, Options{})
	for _, v6 := range []bool{false, true} {
		for _, typ := range allTypes {
			flow := packet.RouteQuery{Target: u.target(0, v6), Protocol: typ.Protocol(v6)}
			if typ == packet.UDP || typ == packet.TCP {
				flow.SourcePort, flow.TargetPort = 40000, 443
			}
			var routes [1]packet.Route
			if err := transport.Routes([]packet.RouteQuery{flow}, routes[:]); err != nil {
				t.Errorf("%v to %v: %v", typ, flow.Target, err)
				continue
			}
			source := routes[0].Source
			if source != u.address(1, v6) && source != u.address(2, v6) {
				t.Errorf("%v to %v: from %v", typ, flow.Target, source)
			}
		}
	}
}
