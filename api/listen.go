package api

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// CheckListen returns nil when the API may listen on addr, a host:port.
// Without credentials only loopback may be listened on (127.0.0.0/8, ::1,
// localhost): an open agent sends packets for anybody, from this host's
// address. The error says what to do.
func CheckListen(addr string, credentials bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("api: listen address %q must be host:port: %w", addr, err)
	}
	if credentials || strings.EqualFold(host, "localhost") {
		return nil
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().IsLoopback() {
		return nil
	}
	return fmt.Errorf("api: refusing to listen on %q: no credentials are configured, and anyone who reaches that address could send probes from this host; listen on 127.0.0.1 or [::1], or configure credentials", addr)
}
