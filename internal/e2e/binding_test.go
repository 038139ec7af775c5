//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/api/envelope"
	"probe-agent/internal/rawsock"
	"probe-agent/prober"
	"probe-agent/traceroute"
)

// An engine that was told an interface, or addresses, outlives them: when they
// are there again, traces go on. Also when the interface is another one with the old
// one's name.
func TestBindingOutlived(t *testing.T) {
	address := rawsock.Options{Ports: ports, Source4: addr(spareHost4), Source6: addr(spareHost6)}
	device := rawsock.Options{Ports: ports, Interface: spare}
	for _, c := range []struct {
		name    string
		options rawsock.Options
		impose  func(testing.TB, fork)
		want    error
	}{
		{"interface down", device, interfaceDown, unix.ENETUNREACH},
		{"interface deleted and made again", device, func(t testing.TB, f fork) {
			t.Helper()
			on(t, f.Host, spareLink(t, netlink.LinkDel))
		}, unix.ENODEV},
		{"addresses removed", address, removeAddresses, unix.EADDRNOTAVAIL},
		{"interface of the addresses down", address, interfaceDown, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFork(t)
			engine, _ := openEngine(t, f.Lab, c.options, 0)
			defer func() {
				if err := engine.Close(); err != nil {
					t.Error(err)
				}
			}()
			trace := func(ipv6 bool) (*traceroute.Result, error) {
				return engine.Trace(context.Background(), traceroute.Spec{Target: f.affected(ipv6), Wait: unhurried}, prober.Feed{})
			}
			well := func() {
				for _, ipv6 := range []bool{false, true} {
					result, err := trace(ipv6)
					f.unharmed(t, "affected target", result, err)
				}
			}
			well()
			c.impose(t, f)
			for _, ipv6 := range []bool{false, true} {
				if _, err := trace(ipv6); err == nil || c.want != nil && !errors.Is(err, c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				} else {
					t.Log(err)
				}
			}
			if errors.Is(c.want, unix.ENODEV) {
				f.addSpare(t)
			}
			f.restore(t)
			well()
		})
	}
}

// The daemon has given up all privilege by the time that its interface is
// deleted and made again, and needs none to follow it.
func TestDaemonInterfaceMadeAgain(t *testing.T) {
	t.Parallel()
	f := newFork(t)
	d := newDaemon(t, f.Lab, "--interface", spare)
	ask := func(ipv6 bool) answer {
		return d.ask(t, http.MethodPost, endpointPath, fmt.Sprintf(`{"targets":[%q]}`, f.affected(ipv6)))
	}
	well := func() {
		for _, ipv6 := range []bool{false, true} {
			if a := ask(ipv6); a.status != http.StatusOK || len(a.Messages) != 0 {
				t.Errorf("%d %s", a.status, a.body)
			} else {
				equal(t, f.hops(traceroute.ICMP, f.affected(ipv6), 0), rendered(t, a.Result[0].Colos[0].Hops))
			}
		}
	}
	well()
	on(t, f.Host, spareLink(t, netlink.LinkDel))
	want := []envelope.Message{{Code: 1004, Message: fmt.Sprintf(
		"den01 → %[1]v: could not send: no way to %[1]v: rawsock: interface spare: no such device", f.affected(false))}}
	equal(t, want, ask(false).Messages)
	f.addSpare(t)
	f.restore(t)
	well()
}

// removeAddresses takes the spare link all its addresses, but no IPv6 route.
func removeAddresses(t testing.TB, f fork) {
	t.Helper()
	on(t, f.Host, spareLink(t, func(link netlink.Link) error {
		return errors.Join(
			netlink.AddrDel(link, &netlink.Addr{IPNet: prefix(spareHost4)}),
			netlink.AddrDel(link, &netlink.Addr{IPNet: prefix(spareHost6)}))
	}))
}
