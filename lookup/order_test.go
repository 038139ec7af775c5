package lookup

import (
	"context"
	"net/netip"
	"strings"
	"testing"
)

// The order of RFC 6724 section 6, with examples of its section 10.2.
func TestSortAddrs(t *testing.T) {
	for _, tt := range []struct {
		name    string
		sources []string // of the host; the longest match in the family is taken
		want    string   // in order; tried in this order and in reverse
		keep    bool     // it is the order given that is kept
	}{
		{name: "IPv6 first", sources: []string{"2001:db8:1::2", "198.51.100.117"}, want: "2001:db8:1::1 198.51.100.121"},
		{name: "no IPv6", sources: []string{"198.51.100.117"}, want: "198.51.100.121 2001:db8:1::1"},
		{name: "no IPv4", sources: []string{"2001:db8:1::2"}, want: "2001:db8:1::1 198.51.100.121"},
		{name: "IPv6 of the site only", sources: []string{"fd00::2", "198.51.100.117"}, want: "198.51.100.121 2001:db8:1::1"},
		{name: "link-local IPv6 only", sources: []string{"fe80::2", "198.51.100.117"}, want: "198.51.100.121 2001:db8:1::1"},
		{name: "unique local on both ends", sources: []string{"fd00::2"}, want: "fd00::1 2001:db8:1::1"},
		{name: "6to4 source", sources: []string{"2002:c633:6401::2", "198.51.100.117"}, want: "198.51.100.121 2002:c633:6401::1 2001:db8:1::1"},
		{name: "link-local IPv4 source", sources: []string{"169.254.13.78", "2001:db8:1::2"}, want: "2001:db8:1::1 198.51.100.121"},
		{name: "Teredo source", sources: []string{"2001::2", "198.51.100.117"}, want: "198.51.100.121 2001:db8:1::1"},
		{name: "near prefix", sources: []string{"2001:db8:1::2"}, want: "2001:db8:1::1 2001:db8:3ffe::1"},
		{name: "IPv4 as it is", sources: []string{"198.51.100.117"}, want: "198.51.100.7 192.0.2.1 198.51.100.121", keep: true},
	} {
		s := &Service{sourceOf: func(_ context.Context, addr netip.Addr) netip.Addr {
			var best netip.Addr
			for _, text := range tt.sources {
				source := netip.MustParseAddr(text)
				if source.BitLen() == addr.BitLen() {
					best = source
				}
			}
			return best
		}}
		var addrs []netip.Addr
		for text := range strings.FieldsSeq(tt.want) {
			addrs = append(addrs, netip.MustParseAddr(text))
		}
		for range 2 {
			s.sortAddrs(t.Context(), addrs)
			checkAddrs(t, tt.want, addrs, nil)
			if !tt.keep {
				for i := range len(addrs) / 2 {
					addrs[i], addrs[len(addrs)-1-i] = addrs[len(addrs)-1-i], addrs[i]
				}
			}
		}
	}
}

// The kernel says which source it would take.
func TestSourceOf(t *testing.T) {
	for _, text := range []string{"127.0.0.1", "127.9.9.9"} {
		addr := netip.MustParseAddr(text)
		if got := sourceOf(t.Context(), addr); !got.IsLoopback() || !got.Is4() {
			t.Errorf("source for %v is %v", addr, got)
		}
	}
	if got := sourceOf(t.Context(), netip.MustParseAddr("::ffff:0:0")); got.IsValid() && got.Is6() {
		t.Errorf("source %v", got)
	}
}
