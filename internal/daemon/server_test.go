package daemon_test

import (
	"net"
	"testing"

	"probe-agent/internal/daemon"
)

// An IPv4 wildcard does not listen on IPv6; [::] and an empty host listen on
// both.
func TestListen(t *testing.T) {
	if probe, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		probe.Close()
	}
	for _, tt := range []struct {
		address    string
		ipv4, ipv6 bool
	}{
		{"0.0.0.0:0", true, false},
		{"[::ffff:0.0.0.0]:0", true, false},
		{"[::]:0", true, true},
		{":0", true, true},
		{"127.0.0.1:0", true, false},
		{"[::1]:0", false, true},
	} {
		listener, err := daemon.Listen(t.Context(), tt.address)
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ := net.SplitHostPort(listener.Addr().String())
		for host, want := range map[string]bool{"127.0.0.1": tt.ipv4, "::1": tt.ipv6} {
			c, err := new(net.Dialer).DialContext(t.Context(), "tcp", net.JoinHostPort(host, port))
			if got := err == nil; got != want {
				t.Errorf("%s accepts from %s: %t", tt.address, host, got)
			}
			if err == nil {
				c.Close()
			}
		}
		listener.Close()
	}
	if _, err := daemon.Listen(t.Context(), "192.0.2.1:0"); err == nil {
		t.Error("listens on an address that is not this host's")
	}
}
