package hostaddr

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// subscribe asks the kernel to say when addresses come and go (rtnetlink(7)).
// await waits for it to say so, and is false after end.
func subscribe() (await func() bool, end func(), err error) {
	socket, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, nil, fmt.Errorf("hostaddr: netlink: %w", err)
	}
	groups := &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR}
	if err := unix.Bind(socket, groups); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("hostaddr: netlink: %w", err), unix.Close(socket))
	}
	file := os.NewFile(uintptr(socket), "netlink")
	message := make([]byte, 8192) // what it says does not matter: everything is read anew
	await = func() bool {
		_, err := file.Read(message)
		// The kernel had more to say than the socket has room for.
		return err == nil || errors.Is(err, unix.ENOBUFS)
	}
	return await, func() { file.Close() }, nil //nolint:errcheck // nothing was written
}
