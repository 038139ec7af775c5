package rawsock

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
	"probe-agent/prober"
)

var _ prober.Transport = (*Transport)(nil)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long tests wait for what must come.
const patience = 20 * time.Second

// lab is two network namespaces, joined by a pair of veth devices.
type lab struct {
	near, far        netns.NsHandle
	nearMAC, farMAC  net.HardwareAddr
	nearName         string
	near4, far4      netip.Addr
	near6, far6      netip.Addr
	farLinkLocal     netip.Addr
	nobody4, nobody6 netip.Addr // on the link, but not there
}

// newLab makes a lab and takes the test's thread to its near side until the
// test ends. Addresses are those for documentation (RFC 5737, RFC 3849).
func newLab(t testing.TB) *lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for network namespaces and raw sockets")
	}
	runtime.LockOSThread()
	home := must[netns.NsHandle](t)(netns.Get())
	l := &lab{
		nearName: "near0",
		near4:    netip.MustParseAddr("192.0.2.1"), far4: netip.MustParseAddr("192.0.2.2"),
		near6: netip.MustParseAddr("2001:db8::1"), far6: netip.MustParseAddr("2001:db8::2"),
		nobody4: netip.MustParseAddr("192.0.2.99"), nobody6: netip.MustParseAddr("2001:db8::99"),
		farLinkLocal: netip.MustParseAddr("fe80::2"),
	}
	nearLinkLocal := netip.MustParseAddr("fe80::1")
	l.far = must[netns.NsHandle](t)(netns.New())
	l.near = must[netns.NsHandle](t)(netns.New())
	t.Cleanup(func() {
		check(t, netns.Set(home))
		for _, ns := range []netns.NsHandle{home, l.near, l.far} {
			check(t, ns.Close())
		}
		runtime.UnlockOSThread()
	})
	check(t, netlink.LinkAdd(&netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: l.nearName}, PeerName: "far0", PeerNamespace: netlink.NsFd(l.far),
	}))
	nearRuns := running(t, l.near, l.nearName)
	farRuns := running(t, l.far, "far0")
	l.nearMAC = l.setUp(t, l.nearName, l.near4, l.near6, nearLinkLocal)
	check(t, netns.Set(l.far))
	l.farMAC = l.setUp(t, "far0", l.far4, l.far6, l.farLinkLocal)
	l.neighbours(t, "far0", l.nearMAC, l.near4, l.near6, nearLinkLocal)
	l.enter(t)
	l.neighbours(t, l.nearName, l.farMAC, l.far4, l.far6, l.farLinkLocal)
	nearRuns()
	farRuns()
	owned(t, l.near, l.near6, nearLinkLocal)
	owned(t, l.far, l.far6, l.farLinkLocal)
	return l
}

// enter takes the thread to the near side, as a subtest must, which runs on a
// thread of its own.
func (l *lab) enter(t testing.TB) {
	t.Helper()
	check(t, netns.Set(l.near))
}

// visit takes a subtest's thread to the near side until it ends. The thread
// is not used again.
func (l *lab) visit(t testing.TB) {
	t.Helper()
	runtime.LockOSThread()
	l.enter(t)
}

// onFar runs f on the far side.
func (l *lab) onFar(t testing.TB, f func()) {
	t.Helper()
	check(t, netns.Set(l.far))
	defer l.enter(t)
	f()
}

func (l *lab) setUp(t testing.TB, name string, addresses ...netip.Addr) net.HardwareAddr {
	t.Helper()
	lo := must[netlink.Link](t)(netlink.LinkByName("lo"))
	check(t, netlink.LinkSetUp(lo))
	write(t, "/proc/sys/net/ipv6/conf/"+name+"/addr_gen_mode", "1") // no address but ours
	write(t, "/proc/sys/net/ipv6/conf/"+name+"/accept_ra", "0")
	write(t, "/proc/sys/net/ipv4/icmp_ratemask", "0")
	write(t, "/proc/sys/net/ipv6/icmp/ratelimit", "0")
	link := must[netlink.Link](t)(netlink.LinkByName(name))
	for _, address := range addresses {
		bits := 24
		if address.Is6() {
			bits = 64
		}
		network := &net.IPNet{IP: address.AsSlice(), Mask: net.CIDRMask(bits, address.BitLen())}
		check(t, netlink.AddrAdd(link, &netlink.Addr{IPNet: network, Flags: 0x02})) // IFA_F_NODAD
	}
	check(t, netlink.LinkSetUp(link))
	return link.Attrs().HardwareAddr
}

// neighbours enters link-layer addresses, so that no resolution delays a test.
func (l *lab) neighbours(t testing.TB, name string, mac net.HardwareAddr, addresses ...netip.Addr) {
	t.Helper()
	link := must[netlink.Link](t)(netlink.LinkByName(name))
	for _, address := range addresses {
		check(t, netlink.NeighSet(&netlink.Neigh{
			LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: address.AsSlice(), HardwareAddr: mac,
		}))
	}
}

// running returns a function that waits until a device passes packets. The
// kernel sees to that some time after the device is set up, and until then
// drops what it has taken.
func running(t testing.TB, ns netns.NsHandle, name string) (wait func()) {
	t.Helper()
	updates, done := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	check(t, netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &ns}))
	return func() {
		defer func() {
			close(done)
			for range updates { // until the subscription's socket is closed
			}
		}()
		deadline := time.After(patience)
		for {
			select {
			case update := <-updates:
				if attrs := update.Attrs(); attrs.Name == name && attrs.OperState == netlink.OperUp {
					return
				}
			case <-deadline:
				t.Fatalf("%s does not come up", name)
			}
		}
	}
}

// owned waits until IPv6 addresses are the namespace's own. The kernel makes
// them so some time after they are added, even without duplicate detection.
func owned(t testing.TB, ns netns.NsHandle, addresses ...netip.Addr) {
	t.Helper()
	updates, done := make(chan netlink.RouteUpdate, 64), make(chan struct{})
	check(t, netlink.RouteSubscribeWithOptions(updates, done, netlink.RouteSubscribeOptions{Namespace: &ns, ListExisting: true}))
	defer func() {
		close(done)
		for range updates { // until the subscription's socket is closed
		}
	}()
	missing := map[netip.Addr]bool{}
	for _, address := range addresses {
		missing[address] = true
	}
	deadline := time.After(patience)
	for len(missing) > 0 {
		select {
		case update := <-updates:
			if update.Route.Type == unix.RTN_LOCAL && update.Dst != nil {
				address, _ := netip.AddrFromSlice(update.Dst.IP)
				delete(missing, address)
			}
		case <-deadline:
			t.Fatalf("addresses %v do not come up", missing)
		}
	}
}

// open opens a Transport in the namespace at hand.
func open(t testing.TB, options Options) *Transport {
	t.Helper()
	transport, err := Open(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { check(t, transport.Close()) })
	return transport
}

// arrival is a packet received, with bytes of its own.
type arrival struct {
	packet.Incoming
	queue int
}

// listen receives on all queues until the Transport is closed.
func listen(t testing.TB, transport *Transport) <-chan arrival {
	t.Helper()
	arrivals := make(chan arrival, 1<<14) // roomier than any test needs
	done := make(chan error, len(transport.Receivers()))
	for queue := range transport.Receivers() {
		go func() {
			into := make([]packet.Incoming, 10)
			for {
				n, err := transport.Receivers()[queue].Receive(into)
				if err != nil {
					done <- err
					return
				}
				for _, in := range into[:n] {
					in.Bytes = slices.Clone(in.Bytes)
					arrivals <- arrival{in, queue}
				}
			}
		}()
	}
	t.Cleanup(func() {
		check(t, transport.Close())
		for range transport.Receivers() {
			<-done
		}
	})
	return arrivals
}

// next waits for one arrival.
func next(t testing.TB, arrivals <-chan arrival) arrival {
	t.Helper()
	select {
	case a := <-arrivals:
		return a
	case <-time.After(patience):
		t.Fatal("nothing arrived")
		return arrival{}
	}
}

// sendAll sends packets that all have to go.
func sendAll(t testing.TB, transport *Transport, packets ...packet.Outgoing) {
	t.Helper()
	if sent, err := transport.Senders()[0].Send(packets); sent != len(packets) || err != nil {
		t.Fatalf("sent %d of %d: %v", sent, len(packets), err)
	}
}

// stampsOf reads the stamps that are there.
func stampsOf(transport *Transport) []packet.Stamp {
	var all []packet.Stamp
	var into [50]packet.Stamp
	for {
		n := transport.Stamps(into[:])
		all = append(all, into[:n]...)
		if n < len(into) {
			return all
		}
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(value T, err error) T {
		t.Helper()
		check(t, err)
		return value
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0); err != nil {
		t.Fatal(fmt.Errorf("set up namespace: %w", err))
	}
}
