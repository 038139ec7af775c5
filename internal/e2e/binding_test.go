//go:build linux

package e2e

import (
	"context"
	"errors"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"probe-agent/internal/rawsock"
	"probe-agent/prober"
)

// Sockets that are bound to an interface, or to addresses, outlive what they
// are bound to: when it is there again, traces go on over the same engine.
func TestBindingOutlived(t *testing.T) {
	address := rawsock.Options{Source4: addr(spareHost4), Source6: addr(spareHost6)}
	device := rawsock.Options{Interface: spare}
	for _, c := range []struct {
		name    string
		options rawsock.Options
		impose  func(testing.TB, fork)
		want    error
	}{
		{"interface down", device, interfaceDown, unix.ENETUNREACH},
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
			trace := func(ipv6 bool) (*prober.Result, error) {
				return engine.Trace(context.Background(), prober.Spec{Target: f.affected(ipv6), Wait: unhurried})
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
			f.restore(t)
			well()
		})
	}
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
