package rawsock

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// heldPorts are TCP and UDP ports that nobody else on this host can bind or
// get for a connection. The TCP ones never listen: the kernel then resets
// whoever answers a SYN of ours, and no connection stays half open.
type heldPorts struct {
	portRange
	sockets []int
}

// holdPorts finds a range of consecutive ports that are free for both
// protocols and holds them: as many as the options say, or when they say
// nothing, the largest of portsWithin the descriptor limit, half of that and so on
// that there is.
func holdPorts(options *Options) (*heldPorts, error) {
	reserved, err := reservedPorts()
	if err != nil {
		return nil, err
	}
	if options.Ports != 0 {
		return holdRange(options, options.Ports, reserved)
	}
	var descriptors unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &descriptors); err != nil {
		return nil, fmt.Errorf("rawsock: limit of file descriptors: %w", err)
	}
	for count := portsWithin(descriptors.Cur, len(packet.PortProtocols())); ; count /= 2 {
		held, err := holdRange(options, count, reserved)
		if !errors.Is(err, errNoRange) || count/2 < MinPorts {
			return held, err
		}
	}
}

// portsWithin returns how many ports to hold in a process that may have so many
// file descriptors, when a port takes one for each protocol. All take half of
// the descriptors at most, and two thirds of those beyond 64, which other
// sockets need.
func portsWithin(descriptors uint64, protocols int) int {
	const others = 64
	beyond := max(descriptors, others) - others
	each := uint64(protocols)
	return int(max(MinPorts, min(DefaultPorts, descriptors/2/each+1, beyond/3*2/each)))
}

// errNoRange is matched when no range of ports is free.
var errNoRange = errors.New("free")

// holdRange holds count ports.
func holdRange(options *Options, count int, reserved []portSpan) (*heldPorts, error) {
	low, high := ephemeralPorts()
	candidates := portCandidates(low, high, count, reserved)
	if len(candidates) == 0 {
		return nil, fmt.Errorf("rawsock: no %d consecutive ports are %w of those that net.ipv4.ip_local_reserved_ports reserves", count, errNoRange)
	}
	var last error
	for _, first := range candidates {
		held := &heldPorts{portRange: portRange{first: first, count: count}}
		err := held.hold(options)
		if err == nil {
			return held, nil
		}
		err = errors.Join(err, held.release())
		if !errors.Is(err, unix.EADDRINUSE) && !errors.Is(err, unix.EACCES) {
			return nil, err
		}
		last = err
	}
	return nil, fmt.Errorf("rawsock: none of %d ranges of %d ports is %w: %w", len(candidates), count, errNoRange, last)
}

// hold binds all ports of the range.
func (h *heldPorts) hold(options *Options) error {
	protocols := packet.PortProtocols()
	for i := range h.count {
		for _, p := range protocols {
			if err := h.holdPort(options, p, int(h.first)+i); err != nil {
				return err
			}
		}
		if i == 0 {
			growDescriptors(h.sockets[0], len(protocols)*h.count)
		}
	}
	return nil
}

// growDescriptors makes the kernel grow the process's table of descriptors once
// for all that follow fd, instead of each time that it is full: each time, the
// kernel waits for all threads, some 15 ms. It does nothing where the limit does
// not allow it.
func growDescriptors(fd, further int) {
	if high, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, fd+further); err == nil {
		_ = unix.Close(high)
	}
}

// holdPort binds one port for both families, or for IPv4 alone where there is
// no IPv6.
// A protocol that the kernel does not know has no sockets to hold ports against.
func (h *heldPorts) holdPort(options *Options, p packet.PortProtocol, port int) error {
	kind := unix.SOCK_DGRAM
	if p.Stream {
		kind = unix.SOCK_STREAM
	}
	var address unix.Sockaddr = &unix.SockaddrInet6{Port: port}
	fd, err := options.socket(unix.AF_INET6, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(p.Protocol))
	only4 := errors.Is(err, unix.EAFNOSUPPORT)
	if only4 {
		address = &unix.SockaddrInet4{Port: port}
		fd, err = options.socket(unix.AF_INET, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, int(p.Protocol))
	}
	if errors.Is(err, unix.EPROTONOSUPPORT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("rawsock: hold port %d: %w", port, err)
	}
	h.sockets = append(h.sockets, fd)
	if !p.Stream {
		if err := shut(fd); err != nil {
			return err
		}
	}
	if !only4 {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0); err != nil {
			return fmt.Errorf("rawsock: hold port %d: %w", port, err)
		}
	}
	if err := unix.Bind(fd, address); err != nil {
		return fmt.Errorf("rawsock: hold port %d: %w", port, err)
	}
	return nil
}

// shut keeps a UDP socket from storing what comes for it, which is read
// elsewhere and would only pile up. A TCP socket that does not listen stores
// nothing.
func shut(fd int) error {
	if err := attach(fd, dropAll()); err != nil {
		return err
	}
	_, err := setBuffer(fd, 0, unix.SO_RCVBUF, unix.SO_RCVBUF)
	return err
}

// release frees the ports.
func (h *heldPorts) release() error {
	var errs []error
	for _, fd := range h.sockets {
		errs = append(errs, unix.Close(fd))
	}
	h.sockets = nil
	return errors.Join(errs...)
}

// reservedPorts returns the ports that the kernel keeps free for services;
// none when it does not say.
func reservedPorts() ([]portSpan, error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_reserved_ports")
	if err != nil {
		return nil, nil //nolint:nilerr // no /proc: nothing is known to be reserved
	}
	return parseReserved(string(text))
}

// ephemeralPorts returns the range that the kernel gives connections their
// ports from; its usual one when it cannot be read.
func ephemeralPorts() (low, high int) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		_, err = fmt.Sscan(string(text), &low, &high)
	}
	if err != nil {
		return 32768, 60999
	}
	return low, high
}
