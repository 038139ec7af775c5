package netsim

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	// tunQueue is how many packets may wait for the network to read them; the
	// default of 500 overflows on a burst of probes.
	tunQueue   = 10000
	defaultMTU = 1500
)

// makeDevice makes a TUN device that lives as long as the descriptor returned.
func makeDevice(name string) (int, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return -1, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	request, err := unix.NewIfreq(name)
	if err == nil {
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI | unix.IFF_TUN_EXCL)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written to it
		return -1, err
	}
	return fd, nil
}

// configure brings the device up with its address and routes.
func configure(name string, network *Network) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	mtu, host := defaultMTU, network.Host()
	if host.MTU != 0 {
		mtu = host.MTU
	}
	if err := netlink.LinkSetMTU(link, mtu); err != nil {
		return fmt.Errorf("mtu %d: %w", mtu, err)
	}
	if err := netlink.LinkSetTxQLen(link, tunQueue); err != nil {
		return fmt.Errorf("queue: %w", err)
	}
	for _, source := range host.Source.list() {
		// Without duplicate address detection, which would keep an IPv6
		// address from being used for a second.
		address := &netlink.Addr{IPNet: ipNet(netip.PrefixFrom(source, source.BitLen())), Flags: unix.IFA_F_NODAD}
		if err := netlink.AddrAdd(link, address); err != nil {
			return fmt.Errorf("address %v: %w", source, err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("up: %w", err)
	}
	for _, prefix := range network.prefixes() {
		if !host.Source.For(prefix.Addr().Is6()).IsValid() {
			continue // a host without the family has no route in it
		}
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Dst: ipNet(prefix), Scope: netlink.SCOPE_UNIVERSE}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("route %v: %w", prefix, err)
		}
	}
	return nil
}

func ipNet(prefix netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: prefix.Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), prefix.Addr().BitLen())}
}
