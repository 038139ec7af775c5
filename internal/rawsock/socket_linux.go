package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// openRaw opens a raw socket that lets nothing in yet.
func openRaw(options *Options, domain, protocol int) (int, error) {
	fd, err := options.open(domain, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	switch {
	case errors.Is(err, errMark):
		return -1, err
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return -1, fmt.Errorf("%w (%w)", ErrPrivilege, err)
	case err != nil:
		return -1, fmt.Errorf("rawsock: raw socket for %s: %w", familyName(domain), err)
	}
	if err := attach(fd, dropAll()); err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// errMark is matched when the mark of Options could not be set.
var errMark = errors.New("rawsock: mark: not allowed to set it (SO_MARK): CAP_NET_RAW is enough from Linux 5.17 on, before it is CAP_NET_ADMIN")

// open makes a socket with the mark of the options, so that its packets and
// lookups have it.
func (o *Options) open(domain, kind, protocol int) (int, error) {
	fd, err := o.socket(domain, kind, protocol)
	if err != nil || o.Mark == 0 {
		return fd, err
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(o.Mark)); err != nil {
		return -1, errors.Join(fmt.Errorf("%w: %w", errMark, err), unix.Close(fd))
	}
	return fd, nil
}

func familyName(domain int) string {
	if domain == unix.AF_INET6 {
		return "IPv6"
	}
	return "IPv4"
}

// attach puts a filter on a socket, in the place of the one that it has.
func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("rawsock: assemble filter: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &prog); err != nil {
		return fmt.Errorf("rawsock: attach filter: %w", err)
	}
	return nil
}

// bindInterface binds a socket to the interface asked for, if any.
func bindInterface(fd int, name string) error {
	if name == "" {
		return nil
	}
	if err := unix.BindToDevice(fd, name); err != nil {
		return fmt.Errorf("rawsock: bind to interface %s: %w", name, err)
	}
	return nil
}

// bindSource binds a socket to an address of this host; a link-local one on
// the interface named.
func bindSource(fd int, name string, source netip.Addr) error {
	to := sockaddr(source, 0)
	if to, ok := to.(*unix.SockaddrInet6); ok && source.IsLinkLocalUnicast() {
		index, err := interfaceIndex(fd, name)
		if err != nil {
			return err
		}
		to.ZoneId = uint32(index)
	}
	if err := unix.Bind(fd, to); err != nil {
		return fmt.Errorf("rawsock: source address %v: %w", source, err)
	}
	return nil
}

// interfaceIndex returns the index of an interface, asking through a socket of
// whatever sort.
func interfaceIndex(fd int, name string) (int, error) {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, fmt.Errorf("rawsock: interface %s: %w", name, err)
	}
	return int(request.Uint32()), nil
}

// isDown reports whether an interface is known to be down.
func isDown(fd int, name string) bool {
	request, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request)
	}
	return err == nil && request.Uint16()&unix.IFF_UP == 0
}

// networkOrder returns the number whose bytes in memory are those of n in
// network order.
func networkOrder(n uint32) uint32 {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return binary.NativeEndian.Uint32(b[:])
}

// sockaddr returns the socket address of addr.
func sockaddr(addr netip.Addr, port int) unix.Sockaddr {
	if addr.Is4() {
		return &unix.SockaddrInet4{Addr: addr.As4(), Port: port}
	}
	return &unix.SockaddrInet6{Addr: addr.As16(), Port: port}
}

// setReceiveBuffer asks for a receive buffer of so many bytes and returns what
// the socket has then, as the kernel counts.
func setReceiveBuffer(fd, bytes int) (int, error) {
	return setBuffer(fd, bytes, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF)
}

// setSendBuffer does the same for the send buffer.
func setSendBuffer(fd, bytes int) (int, error) {
	return setBuffer(fd, bytes, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF)
}

// setBuffer tries the option that is not bound by the system's limit but
// wants CAP_NET_ADMIN, then the plain one.
func setBuffer(fd, bytes, force, plain int) (int, error) {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, bytes); err != nil {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, bytes); err != nil {
			return 0, fmt.Errorf("rawsock: set socket buffer: %w", err)
		}
	}
	granted, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, plain)
	if err != nil {
		return 0, fmt.Errorf("rawsock: read socket buffer: %w", err)
	}
	return granted, nil
}

// memory returns what the kernel tells of a socket's memory, indexed by
// SK_MEMINFO_*. Its count of drops is the number that SO_RXQ_OVFL attaches to
// the next packet that does fit; asked for directly, it shows drops that no
// packet follows.
func memory(fd uintptr) (info [unix.SK_MEMINFO_VARS]uint32, err error) {
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_MEMINFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return info, os.NewSyscallError("getsockopt", errno)
	}
	return info, nil
}
