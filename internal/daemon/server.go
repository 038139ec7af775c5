package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
)

// Server is one HTTP server of the process, and where it listens.
type Server struct {
	Name     string // in errors, like "api"
	Listener net.Listener
	HTTP     *http.Server // speaks TLS when it has a TLSConfig
}

// Listen listens on a TCP address, host:port. An IPv4 address, 0.0.0.0 included,
// accepts IPv4 only; [::] and an empty host accept both families.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	network := "tcp"
	if host, _, err := net.SplitHostPort(address); err == nil {
		// Package net opens a wildcard of either family for both.
		if ip, err := netip.ParseAddr(host); err == nil && ip.Unmap().Is4() {
			network = "tcp4"
		}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, network, address)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("daemon: listening on %s: %w; ports below net.ipv4.ip_unprivileged_port_start, which is 1024 by default, need CAP_NET_BIND_SERVICE", address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("daemon: listening on %s: %w", address, err)
	}
	return listener, nil
}

// serve returns when the server has been shut down or cannot go on, which is
// an error.
func (s *Server) serve() error {
	var err error
	if s.HTTP.TLSConfig != nil {
		err = s.HTTP.ServeTLS(s.Listener, "", "")
	} else {
		err = s.HTTP.Serve(s.Listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("daemon: serving %s: %w", s.Name, err)
}
