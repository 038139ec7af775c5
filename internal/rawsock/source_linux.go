package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// source returns the address that packets to target leave from: the one in
// Options, or what the kernel's routes say at this moment. Nothing is sent.
// The error matches ENETUNREACH, EHOSTUNREACH or the like when there is no
// route, EADDRNOTAVAIL when the host has no address to be answered at, or has
// lost the one in Options, and EAFNOSUPPORT when it lacks the family. A zone of target is
// ignored: a link-local target needs Options.Interface. Safe for concurrent
// use.
func (t *Transport) source(target netip.Addr) (netip.Addr, error) {
	target = target.Unmap().WithZone("")
	if !target.IsValid() {
		return netip.Addr{}, errors.New("rawsock: source address: no target")
	}
	domain, configured, lacks := unix.AF_INET, t.options.Source4, t.lacks[0]
	if target.Is6() {
		domain, configured, lacks = unix.AF_INET6, t.options.Source6, t.lacks[1]
	}
	if lacks != nil {
		return netip.Addr{}, lacks
	}
	if t.options.Interface != "" || configured.IsValid() {
		return t.freshSource(domain, target, configured)
	}
	f := &t.finders[0]
	if target.Is6() {
		f = &t.finders[1]
	}
	return f.find(target)
}

// freshSource asks with a socket of its own. Disconnecting one, to ask again,
// unbinds it from its interface; and only while a socket is being bound does
// the kernel look whether the address is still the host's.
func (t *Transport) freshSource(domain int, target, configured netip.Addr) (netip.Addr, error) {
	fd, err := openFinder(&t.options, domain, configured)
	if err != nil {
		return netip.Addr{}, err
	}
	source, err := connectedSource(fd, target)
	if err == nil && t.egress.name != "" {
		err = t.learnEgress(fd)
	}
	return source, errors.Join(err, unix.Close(fd))
}

// sourceFinder keeps a UDP socket to ask the kernel with: making one for each
// trace takes longer than the asking.
type sourceFinder struct {
	mu   sync.Mutex
	fd   int
	open bool
}

// start opens the socket.
func (f *sourceFinder) start(options *Options, domain int, configured netip.Addr) (err error) {
	f.fd, err = openFinder(options, domain, configured)
	f.open = err == nil
	return err
}

func (f *sourceFinder) find(target netip.Addr) (netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return netip.Addr{}, fmt.Errorf("rawsock: source address: %w", net.ErrClosed)
	}
	source, err := connectedSource(f.fd, target)
	// Forget the address chosen, or the next target would get it too.
	none := unix.RawSockaddr{Family: unix.AF_UNSPEC}
	if _, _, errno := unix.Syscall(unix.SYS_CONNECT, uintptr(f.fd), uintptr(unsafe.Pointer(&none)), unix.SizeofSockaddrInet4); errno != 0 && err == nil {
		err = fmt.Errorf("rawsock: source address: %w", errno)
	}
	return source, err
}

func (f *sourceFinder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.open
	f.open = false
	if !was {
		return nil
	}
	return unix.Close(f.fd)
}

// openFinder makes a UDP socket bound as probes are.
func openFinder(options *Options, domain int, configured netip.Addr) (int, error) {
	fd, err := options.socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("rawsock: source address: %w", err)
	}
	if err = bindInterface(fd, options.Interface); err == nil {
		err = bindSource(fd, configured)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// connectedSource connects a UDP socket to target, which makes the kernel
// choose route and address.
func connectedSource(fd int, target netip.Addr) (netip.Addr, error) {
	const discard = 9 // any port will do
	if err := unix.Connect(fd, sockaddr(target, discard)); err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: no route to %v: %w", target, err)
	}
	local, err := unix.Getsockname(fd)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("rawsock: source address: %w", err)
	}
	source := address(local)
	if source.Is6() && confined(source) && !confined(target) && source != target {
		// Better than nothing to the kernel, as while the host's real address
		// is being tried (RFC 4862 section 5.4); but no answer would come back.
		return netip.Addr{}, fmt.Errorf("rawsock: no address to reach %v from: %w", target, unix.EADDRNOTAVAIL)
	}
	return source, nil
}

// confined reports whether an address means something on one link or host
// only (RFC 4007 section 4).
func confined(a netip.Addr) bool { return a.IsLoopback() || a.IsLinkLocalUnicast() }

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
