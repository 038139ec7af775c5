package traceroute_test

import (
	"net/netip"
	"strings"
	"testing"

	"probe-agent/traceroute"
)

func TestFamily(t *testing.T) {
	four, six, mapped := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")
	tests := []struct {
		name               string
		family             traceroute.Family
		four, six, mapped4 bool
	}{
		{"", traceroute.AnyFamily, true, true, true},
		{"any", traceroute.AnyFamily, true, true, true},
		{"ipv4", traceroute.IPv4Only, true, false, true},
		{"ipv6", traceroute.IPv6Only, false, true, false},
	}
	for _, tt := range tests {
		got, err := traceroute.ParseFamily(tt.name)
		if err != nil || got != tt.family || tt.name != "" && got.String() != tt.name {
			t.Errorf("%q is %v, %v", tt.name, got, err)
		}
		if got.Allows(four) != tt.four || got.Allows(six) != tt.six || got.Allows(mapped) != tt.mapped4 {
			t.Errorf("%v allows %t %t %t", got, got.Allows(four), got.Allows(six), got.Allows(mapped))
		}
	}
	if _, err := traceroute.ParseFamily("IPv4"); err == nil || !strings.Contains(err.Error(), "any, ipv4, ipv6") {
		t.Errorf("error %v", err)
	}
	for target, family := range map[netip.Addr]traceroute.Family{four: traceroute.IPv6Only, six: traceroute.IPv4Only} {
		if _, err := (traceroute.Spec{Target: target, Family: family}).Complete(); err == nil || !strings.Contains(err.Error(), family.String()) {
			t.Errorf("%v of %v: error %v", target, family, err)
		}
	}
	if _, err := (traceroute.Spec{Target: four, Family: 3}).Complete(); err == nil {
		t.Error("family 3 is one")
	}
}
