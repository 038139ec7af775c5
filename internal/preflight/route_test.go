package preflight_test

import (
	"errors"
	"net/netip"
	"testing"

	"probe-agent/internal/preflight"
)

func TestRoutes(t *testing.T) {
	tests := []struct {
		name   string
		v4, v6 string // source address; empty: no route
		state4 preflight.State
		state6 preflight.State
	}{
		{"both", "192.0.2.7", "2001:db8::7", preflight.OK, preflight.OK},
		{"only IPv4", "192.0.2.7", "", preflight.OK, preflight.Warning},
		{"only IPv6", "", "2001:db8::7", preflight.Warning, preflight.OK},
		{"neither", "", "", preflight.Missing, preflight.Missing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			findings := preflight.Routes(func(target netip.Addr) (netip.Addr, error) {
				from := tt.v6
				if target.Is4() {
					from = tt.v4
				}
				if from == "" {
					return netip.Addr{}, errors.New("network is unreachable")
				}
				return netip.ParseAddr(from)
			})
			if len(findings) != 2 {
				t.Fatalf("%d findings, want 2", len(findings))
			}
			for i, want := range []struct {
				state preflight.State
				from  string
			}{{tt.state4, tt.v4}, {tt.state6, tt.v6}} {
				detail := "from " + want.from
				if want.from == "" {
					detail = "unreachable"
				}
				demand(t, findings[i], want.state, detail)
			}
		})
	}
}

func TestKernelSource(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if got, err := preflight.KernelSource(loopback); err != nil || got != loopback {
		t.Errorf("packets to %v leave from %v (error %v)", loopback, got, err)
	}
	// A link-local address without a zone has no route.
	if got, err := preflight.KernelSource(netip.MustParseAddr("fe80::1")); err == nil {
		t.Errorf("packets to fe80::1 leave from %v, want an error", got)
	}
}
