package rawsock

import (
	"errors"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// With lo down there are stamps all the same, and no packet to a loopback
// address leaves through another interface.
func TestLoopbackDown(t *testing.T) {
	l := newLab(t)
	ip(t, "route add default via %v", l.far4)
	lo := must[netlink.Link](t)(netlink.LinkByName("lo"))
	check(t, netlink.LinkSetDown(lo))
	u := &uplinks{index: map[int]int{}}
	l.onFar(t, func() { u.openTap(t) })
	near := open(t, Options{})
	if status := near.Status(); status.StampMode != stampToken.String() || !status.LoopbackDown || !status.ReceiveStamps || !status.ByProtocol {
		t.Errorf("status %+v", status)
	}
	if to, seen := u.strayLoopback(t); seen {
		t.Errorf("a packet to %v left the host", to)
	}
}

// Where netlink is refused, sources are found all the same, and the status says
// what is lost.
func TestNetlinkRefused(t *testing.T) {
	l := newLab(t)
	refused := without(unix.AF_NETLINK)
	plain := open(t, Options{socket: refused})
	if err := plain.Status().RouteTable; !errors.Is(err, unix.EAFNOSUPPORT) || !strings.Contains(err.Error(), "netlink") {
		t.Errorf("status says %v", err)
	}
	chosen := open(t, Options{socket: refused, Source4: l.near4, Source6: l.near6})
	bound := open(t, Options{socket: refused, Interface: l.nearName})
	for _, transport := range []*Transport{plain, chosen, bound} {
		wantSource(t, "IPv4", transport, l.far4, l.near4, nil)
		wantSource(t, "IPv6", transport, l.far6, l.near6, nil)
		wantSource(t, "no route", transport, elsewhere6, netip.Addr{}, unix.ENETUNREACH)
	}
	wantSource(t, "link-local", bound, l.farLinkLocal, netip.MustParseAddr("fe80::1"), nil)
	if _, err := Open(Options{socket: refused, Source4: l.far4}); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("another host's address as source: %v", err)
	}
}

// An address of a VRF is a source together with the VRF's interface, or one
// that is part of it.
func TestSourceInVRF(t *testing.T) {
	l := newLab(t)
	if output, err := exec.Command("ip", "link", "add", "blue", "type", "vrf", "table", "10").CombinedOutput(); err != nil {
		t.Skipf("needs a kernel with VRF (CONFIG_NET_VRF): %v: %s", err, output)
	}
	ip(t, "link set blue up")
	ip(t, "link set %s master blue", l.nearName)
	ip(t, "address replace %v/64 dev %s nodad", l.near6, l.nearName) // enslaving removes it
	for _, name := range []string{"blue", l.nearName} {
		transport := open(t, Options{Interface: name, Source4: l.near4, Source6: l.near6})
		wantSource(t, name, transport, l.far4, l.near4, nil)
		wantSource(t, name, transport, l.far6, l.near6, nil)
	}
	if _, err := Open(Options{Source4: l.near4}); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("without the interface: %v", err)
	}
}
