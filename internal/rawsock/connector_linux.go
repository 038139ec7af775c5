package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// connector finds source addresses by connecting a socket, which sends nothing
// when the socket is a UDP or raw one. It serves where the routing table itself
// does not: hosts that refuse netlink, and GRE, a protocol that RTM_GETROUTE
// does not take. Not safe for concurrent use.
type connector struct {
	fd    int
	v6    bool
	index int // of the interface that the socket was told; 0: none
}

// openConnector opens a socket for a protocol, which is UDP or needs
// CAP_NET_RAW. With a source it finds out whether there is a route for it.
func openConnector(options *Options, domain, protocol int, source netip.Addr) (*connector, error) {
	var fd int
	var err error
	if protocol == unix.IPPROTO_UDP {
		if fd, err = options.open(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return nil, fmt.Errorf("rawsock: source address: %w", err)
		}
	} else if fd, err = openRaw(options, domain, protocol); err != nil {
		return nil, err
	}
	if source.IsValid() {
		if err = bindInterface(fd, options.Interface); err == nil {
			err = bindSource(fd, options.Interface, source)
		}
		if err == nil {
			err = disconnect(fd) // which unbinds from the interface, not from the address
		}
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return &connector{fd: fd, v6: domain == unix.AF_INET6}, nil
}

// source returns the address that packets to target and its port leave from,
// by the routes of one interface unless index is 0.
func (c *connector) source(target netip.Addr, port uint16, index int) (netip.Addr, error) {
	if err := c.leaveThrough(index); err != nil {
		return netip.Addr{}, err
	}
	to := sockaddr(target, int(port))
	if to, ok := to.(*unix.SockaddrInet6); ok && target.IsLinkLocalUnicast() {
		to.ZoneId = uint32(index)
	}
	if err := unix.Connect(c.fd, to); err != nil {
		return netip.Addr{}, noRoute(target, err)
	}
	local, err := unix.Getsockname(c.fd)
	if again := disconnect(c.fd); err == nil {
		err = again
	}
	if err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: source address: %w", err)
	}
	return address(local), nil
}

// disconnect makes a socket forget the address chosen, or the next target would
// get it too.
func disconnect(fd int) error {
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4); errno != 0 {
		return os.NewSyscallError("connect", errno)
	}
	return nil
}

// leaveThrough makes connect look at the routes of one interface only. Unlike
// SO_BINDTODEVICE it needs no privilege, and outlives a connection.
func (c *connector) leaveThrough(index int) error {
	if c.index == index {
		return nil
	}
	level, option := unix.IPPROTO_IP, unix.IP_UNICAST_IF
	if c.v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_IF
	}
	if err := unix.SetsockoptInt(c.fd, level, option, int(networkOrder(uint32(index)))); err != nil {
		return fmt.Errorf("rawsock: send through interface %d: %w", index, err)
	}
	c.index = index
	return nil
}

func (c *connector) close() error {
	if c == nil {
		return nil
	}
	return unix.Close(c.fd)
}

// address converts what the kernel reports of an address.
func address(sa unix.Sockaddr) netip.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr)
	}
	return netip.Addr{}
}
