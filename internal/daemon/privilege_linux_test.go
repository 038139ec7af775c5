package daemon_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/internal/daemon"
)

// A privileged port is refused with the capability that it needs.
func TestListenPrivilegedPort(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root for a network of its own, where ports below 1024 are privileged")
	}
	result := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var sets [2]unix.CapUserData
		if err := unix.Capget(&header, &sets[0]); err != nil {
			result <- err
			return
		}
		sets[0].Effective &^= 1 << unix.CAP_NET_BIND_SERVICE
		if err := unix.Capset(&header, &sets[0]); err != nil {
			result <- err
			return
		}
		listener, err := daemon.Listen(t.Context(), "0.0.0.0:443")
		if err == nil {
			listener.Close()
		}
		result <- err
	}()
	if err := <-result; err == nil || !strings.Contains(err.Error(), "bind: permission denied; ports below net.ipv4.ip_unprivileged_port_start, which is 1024 by default, need CAP_NET_BIND_SERVICE") {
		t.Errorf("error %v does not name the capability", err)
	}
}
