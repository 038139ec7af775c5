package preflight_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/fstest"

	"probe-agent/internal/preflight"
)

func TestNameservers(t *testing.T) {
	const path = "etc/resolv.conf"
	tests := []struct {
		name   string
		root   fstest.MapFS
		state  preflight.State
		detail string
	}{
		{"two", host(path, "search example.com\nnameserver 192.0.2.53\n  nameserver\t2001:db8::53 # second\n"), preflight.OK, "192.0.2.53, 2001:db8::53"},
		{"commented out", host(path, "# nameserver 192.0.2.53\n;nameserver 192.0.2.53\n"), preflight.Warning, "no nameserver"},
		{"without address", host(path, "nameserver\n"), preflight.Warning, "no nameserver"},
		{"no file", fstest.MapFS{}, preflight.Warning, "resolv.conf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			demand(t, preflight.Nameservers(tt.root), tt.state, tt.detail)
		})
	}
}

type resolverFunc func() ([]netip.Addr, error)

func (f resolverFunc) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) { return f() }

func TestLookup(t *testing.T) {
	tests := []struct {
		name   string
		addrs  []netip.Addr
		err    error
		state  preflight.State
		detail string
	}{
		{"found", []netip.Addr{netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, nil, preflight.OK, "2 addresses, first 192.0.2.1"},
		{"error", nil, errors.New("no such host"), preflight.Missing, "no such host"},
		{"nothing", nil, nil, preflight.Missing, "no address"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			resolver := resolverFunc(func() ([]netip.Addr, error) { return tt.addrs, tt.err })
			demand(t, preflight.Lookup(t.Context(), resolver, "example.com"), tt.state, tt.detail)
		})
	}
}

func TestComplete(t *testing.T) {
	warning := preflight.Finding{State: preflight.Warning}
	missing := preflight.Finding{State: preflight.Missing}
	if !preflight.Complete([]preflight.Finding{warning, {State: preflight.OK}}) {
		t.Error("a warning counts as missing")
	}
	if preflight.Complete([]preflight.Finding{warning, missing}) {
		t.Error("what is missing does not count")
	}
}
