package rawsock

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Source returns the address that packets to target leave from: the one in
// Options, or what the kernel's routes say at this moment. Nothing is sent.
// The error matches ENETUNREACH, EHOSTUNREACH or the like when there is no
// route, and EAFNOSUPPORT when the host lacks the family. A zone of target is
// ignored: a link-local target needs Options.Interface. Safe for concurrent
// use.
func (t *Transport) Source(target netip.Addr) (netip.Addr, error) {
	target = target.Unmap().WithZone("")
	if !target.IsValid() {
		return netip.Addr{}, errors.New("rawsock: source address: no target")
	}
	domain, configured, lacks := unix.AF_INET, t.options.Source4, t.lacks4
	if target.Is6() {
		domain, configured, lacks = unix.AF_INET6, t.options.Source6, t.lacks6
	}
	if lacks != nil {
		return netip.Addr{}, lacks
	}
	fd, err := t.options.socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: source address: %w", err)
	}
	source, err := t.connectedSource(fd, target, configured)
	return source, errors.Join(err, unix.Close(fd))
}

// connectedSource connects a UDP socket to target, which makes the kernel
// choose route and address.
func (t *Transport) connectedSource(fd int, target, configured netip.Addr) (netip.Addr, error) {
	if err := bindInterface(fd, t.options.Interface); err != nil {
		return netip.Addr{}, err
	}
	if err := bindSource(fd, configured); err != nil {
		return netip.Addr{}, err
	}
	const discard = 9 // any port will do
	if err := unix.Connect(fd, sockaddr(target, discard)); err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: no route to %v: %w", target, err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: source address: %w", err)
	}
	return address(local), nil
}

// address converts what the kernel tells of an address.
func address(sa unix.Sockaddr) netip.Addr {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr)
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr)
	}
	return netip.Addr{}
}
