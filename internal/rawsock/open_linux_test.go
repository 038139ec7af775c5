package rawsock

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// without is socket(2) of a kernel that lacks address families.
func without(families ...int) func(domain, kind, protocol int) (int, error) {
	return func(domain, kind, protocol int) (int, error) {
		if slices.Contains(families, domain) {
			return -1, unix.EAFNOSUPPORT
		}
		return unix.Socket(domain, kind, protocol)
	}
}

func TestSource(t *testing.T) {
	l := newLab(t)
	plain := open(t, Options{})
	second := netip.MustParseAddr("192.0.2.7")
	link := must[netlink.Link](t)(netlink.LinkByName(l.nearName))
	check(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: &net.IPNet{IP: second.AsSlice(), Mask: net.CIDRMask(24, 32)}}))
	chosen := open(t, Options{Source4: second, Source6: l.near6})
	bound := open(t, Options{Interface: l.nearName})
	only4 := open(t, Options{socket: without(unix.AF_INET6)})
	only6 := open(t, Options{socket: without(unix.AF_INET)})
	loopback := netip.MustParseAddr("127.0.0.1")
	for _, c := range []struct {
		name   string
		via    *Transport
		target netip.Addr
		want   netip.Addr
		errno  error
	}{
		{"IPv4", plain, l.far4, l.near4, nil},
		{"IPv6", plain, l.far6, l.near6, nil},
		{"loopback", plain, loopback, loopback, nil},
		{"IPv6 loopback", plain, netip.IPv6Loopback(), netip.IPv6Loopback(), nil},
		{"IPv4 no route", plain, elsewhere4, netip.Addr{}, unix.ENETUNREACH},
		{"IPv6 no route", plain, elsewhere6, netip.Addr{}, unix.ENETUNREACH},
		{"link-local without interface", plain, l.farLinkLocal, netip.Addr{}, unix.EINVAL},
		{"configured IPv4", chosen, l.far4, second, nil},
		{"configured IPv6", chosen, l.far6, l.near6, nil},
		{"configured, no route", chosen, elsewhere4, netip.Addr{}, unix.ENETUNREACH},
		{"interface", bound, l.far4, l.near4, nil},
		{"interface, not its network", bound, elsewhere6, netip.Addr{}, unix.ENETUNREACH},
		{"IPv6 missing", only4, l.far6, netip.Addr{}, unix.EAFNOSUPPORT},
		{"IPv6 missing, IPv4 there", only4, l.far4, l.near4, nil},
		{"IPv4 missing", only6, l.far4, netip.Addr{}, unix.EAFNOSUPPORT},
		{"IPv4 missing, IPv6 there", only6, l.far6, l.near6, nil},
	} {
		got, err := sourceOf(c.via, c.target)
		if got != c.want || !errors.Is(err, c.errno) {
			t.Errorf("%s: %v, %v, want %v, %v", c.name, got, err, c.want, c.errno)
		}
	}
	if got, err := sourceOf(bound, l.farLinkLocal); err != nil || !got.IsLinkLocalUnicast() || got.Zone() != "" {
		t.Errorf("link-local by interface: %v, %v", got, err)
	}
	for _, target := range []netip.Addr{{}, netip.AddrFrom16(l.far4.As16()), l.far6.WithZone("x")} {
		if _, err := sourceOf(plain, target); err == nil {
			t.Errorf("target %v: no error", target)
		}
	}
}

// With an interface, a link-local target can be probed, and answers.
func TestLinkLocal(t *testing.T) {
	l := newLab(t)
	source := netip.MustParseAddr("fe80::1")
	for _, options := range []Options{
		{Interface: l.nearName},
		{Interface: l.nearName, Source6: source},
		{Interface: l.nearName, Source6: source.WithZone(l.nearName)},
		{Interface: l.nearName, Source6: source, socket: without(unix.AF_NETLINK)},
	} {
		t.Run("", func(t *testing.T) {
			l.visit(t)
			l.linkLocal(t, options)
		})
	}
	wantSource(t, "global target", open(t, Options{Interface: l.nearName, Source6: source}), l.far6, netip.Addr{}, unix.EADDRNOTAVAIL)
}

func (l *lab) linkLocal(t *testing.T, options Options) {
	t.Helper()
	near := open(t, options)
	arrivals := listen(t, near)
	route, err := routeOf(near, l.farLinkLocal)
	check(t, err)
	sendAll(t, near, packet.Outgoing{Bytes: trial{from: route.Source, to: l.farLinkLocal}.icmp(t, 8, 128), Interface: route.Interface})
	if got := next(t, arrivals); got.From != l.farLinkLocal || got.To != route.Source {
		t.Errorf("answer from %v to %v", got.From, got.To)
	}
}

func TestOpenMissingFamily(t *testing.T) {
	l := newLab(t)
	only4 := open(t, Options{socket: without(unix.AF_INET6)})
	if status := only4.Status(); status.IPv4 != nil || !errors.Is(status.IPv6, unix.EAFNOSUPPORT) || len(only4.Receivers()) != len(packet.Filters(false)) {
		t.Errorf("IPv4 only: %+v, %d queues", status, len(only4.Receivers()))
	}
	arrivals := listen(t, only4)
	sendAll(t, only4, packet.Outgoing{Bytes: trial{from: l.near4, to: l.far4}.icmp(t, 8, 128)})
	next(t, arrivals)
	for name, options := range map[string]Options{
		"no family at all":              {socket: without(unix.AF_INET, unix.AF_INET6)},
		"source of the missing family":  {socket: without(unix.AF_INET6), Source6: l.near6},
		"source of the missing family4": {socket: without(unix.AF_INET), Source4: l.near4},
	} {
		if _, err := Open(options); !errors.Is(err, unix.EAFNOSUPPORT) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOpenRefusesOptions(t *testing.T) {
	l := newLab(t)
	for _, c := range []struct {
		name    string
		options Options
		want    string
	}{
		{"too few ports", Options{Ports: 9}, "9 ports"},
		{"too many ports", Options{Ports: MaxPorts + 1}, "1025 ports"},
		{"negative buffer", Options{ReceiveBuffer: -1}, "-1 bytes"},
		{"IPv6 as Source4", Options{Source4: l.near6}, "not an IPv4 address"},
		{"IPv4 as Source6", Options{Source6: l.near4}, "not an IPv6 address"},
		{"mapped Source6", Options{Source6: netip.AddrFrom16(l.near4.As16())}, "not an IPv6 address"},
		{"not our address", Options{Source4: l.far4}, "source address 192.0.2.2: cannot assign"},
		{"not our IPv6 address", Options{Source6: l.far6}, "source address 2001:db8::2: cannot assign"},
		{"no such interface", Options{Interface: "nope0"}, "interface nope0: no such device"},
		{"alias", Options{Interface: l.nearName + ":1"}, "the interface is near0,"},
		{"no interface's name", Options{Interface: "no/pe"}, "without / and spaces"},
		{"multicast", Options{Source4: netip.MustParseAddr("224.0.0.1")}, "224.0.0.1 is a multicast address"},
		{"IPv6 multicast", Options{Source6: netip.MustParseAddr("ff02::1")}, "ff02::1 is a multicast address"},
		{"broadcast", Options{Source4: netip.MustParseAddr("255.255.255.255")}, "is a broadcast address"},
		{"broadcast of a network", Options{Source4: netip.MustParseAddr("192.0.2.255")}, "192.0.2.255 is a broadcast address"},
		{"unspecified", Options{Source4: netip.IPv4Unspecified()}, "is the unspecified address"},
		{"link-local alone", Options{Source6: netip.MustParseAddr("fe80::1")}, "set the interface that it is on too"},
		{"zone alone", Options{Source6: netip.MustParseAddr("fe80::1%near0")}, "set the interface to that too"},
		{"other zone", Options{Source6: netip.MustParseAddr("fe80::1%lo"), Interface: l.nearName}, "set the interface to that too"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.visit(t)
			before := descriptors(t)
			_, err := Open(c.options)
			if err == nil || !strings.HasPrefix(err.Error(), "rawsock: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that says %q", err, c.want)
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors, %d before", after, before)
			}
		})
	}
}

// Whichever socket cannot be had, nothing stays open.
func TestOpenFailsClean(t *testing.T) {
	newLab(t)
	for allowed := 0; ; allowed += 7 {
		before, made := descriptors(t), 0
		transport, err := Open(Options{socket: func(domain, kind, protocol int) (int, error) {
			if made == allowed {
				return -1, unix.EMFILE
			}
			made++
			return unix.Socket(domain, kind, protocol)
		}})
		if err == nil {
			check(t, transport.Close())
		} else if !errors.Is(err, unix.EMFILE) {
			t.Fatalf("with %d sockets: %v", allowed, err)
		}
		if after := descriptors(t); after != before {
			t.Fatalf("with %d sockets: %d descriptors, %d before", allowed, after, before)
		}
		if err == nil {
			return
		}
	}
}

// descriptors counts the open files of the process.
func descriptors(t testing.TB) int {
	t.Helper()
	return len(must[[]os.DirEntry](t)(os.ReadDir("/proc/self/fd")))
}

// With CAP_NET_RAW alone everything works, with the buffers that the system
// grants to anybody.
func TestOpenNetRawOnly(t *testing.T) {
	l := newLab(t)
	limited := make(chan Status, 1)
	failed := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with its capabilities
		err := enterWithNetRaw(int(l.near))
		if err != nil {
			failed <- err
			return
		}
		transport, err := Open(Options{ReceiveBuffer: 1 << 29, Interface: l.nearName})
		if err != nil {
			failed <- err
			return
		}
		if _, err := sourceOf(transport, l.far4); err != nil {
			failed <- errors.Join(err, transport.Close())
			return
		}
		limited <- transport.Status()
		failed <- transport.Close()
	}()
	check(t, <-failed)
	if got := (<-limited).ReceiveBuffer; got == 0 || got >= 1<<29 {
		t.Errorf("receive buffer of %d bytes, want what net.core.rmem_max allows", got)
	}
	if got := open(t, Options{ReceiveBuffer: 1 << 24}).Status().ReceiveBuffer; got != 2<<24 {
		t.Errorf("as root, receive buffer of %d bytes, want %d", got, 2<<24)
	}
}

// enterWithNetRaw takes the thread to a namespace and gives up every
// capability but CAP_NET_RAW.
func enterWithNetRaw(ns int) error {
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return err
	}
	data := [2]unix.CapUserData{{Effective: 1 << unix.CAP_NET_RAW, Permitted: 1 << unix.CAP_NET_RAW}}
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

const unprivilegedChild = "RAWSOCK_TEST_UNPRIVILEGED"

// Without the capability, the error says what is missing and what to do.
func TestOpenUnprivileged(t *testing.T) {
	if os.Getenv(unprivilegedChild) != "" {
		check(t, syscall.Setgroups(nil))
		check(t, syscall.Setgid(65534))
		check(t, syscall.Setuid(65534))
		before := descriptors(t)
		_, err := Open(Options{})
		if !errors.Is(err, ErrPrivilege) || !errors.Is(err, unix.EPERM) {
			t.Errorf("error %v, want ErrPrivilege", err)
		}
		for _, hint := range []string{"CAP_NET_RAW", "root", "setcap cap_net_raw+ep", "AmbientCapabilities=CAP_NET_RAW", "--cap-add=NET_RAW"} {
			if err == nil || !strings.Contains(err.Error(), hint) {
				t.Errorf("error %v does not say %q", err, hint)
			}
		}
		if after := descriptors(t); after != before {
			t.Errorf("%d descriptors, %d before", after, before)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root to give up privileges from")
	}
	child := exec.Command(os.Args[0], "-test.run=^TestOpenUnprivileged$", "-test.v")
	child.Env = append(os.Environ(), unprivilegedChild+"=1")
	output, err := child.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "--- PASS: TestOpenUnprivileged") {
		t.Errorf("%v:\n%s", err, output)
	}
}
