package rawsock

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// The kernel begins to stamp what arrives a moment after the first socket of
// the host has asked for it.
const (
	warmUpLimit = 50 * time.Millisecond
	warmUpPause = 100 * time.Microsecond
)

// receiveStampsWork waits until the kernel stamps what arrives, so that no
// early answer goes without. It tries with datagrams to itself on loopback,
// and returns false when none was stamped in time. Where loopback is down it
// cannot tell, and says true.
func receiveStampsWork(options *Options, loopback netip.Addr) (bool, error) {
	domain := unix.AF_INET
	if loopback.Is6() {
		domain = unix.AF_INET6
	}
	fd, err := options.socket(domain, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false, err
	}
	stamped := stampedEcho(fd, loopback)
	return stamped, unix.Close(fd)
}

func stampedEcho(fd int, loopback netip.Addr) bool {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, receiveFlags) != nil {
		return false
	}
	if isDown(fd, "lo") {
		return true
	}
	if unix.Bind(fd, sockaddr(loopback, 0)) != nil {
		return true
	}
	self, err := unix.Getsockname(fd)
	if err != nil || unix.Connect(fd, self) != nil {
		return true
	}
	var slab [receiveControlLen / 8]uint64 // aligned for control headers
	control := controlBytes(slab[:], receiveControlLen)
	for deadline := time.Now().Add(warmUpLimit); time.Now().Before(deadline); time.Sleep(warmUpPause) {
		if _, err := unix.Write(fd, []byte{0}); err != nil {
			return true
		}
		var in packet.Incoming
		_, n, _, _, err := unix.Recvmsg(fd, make([]byte, 1), control, 0)
		switch {
		case errors.Is(err, unix.EAGAIN): // a firewall may have dropped it
		case err != nil:
			return true
		default:
			readControl(control[:n], &in)
		}
		if in.Wall != 0 {
			return true
		}
	}
	return false
}
