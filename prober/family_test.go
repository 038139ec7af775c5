package prober

import (
	"net/netip"
	"strings"
	"testing"
)

func TestFamily(t *testing.T) {
	four, six, mapped := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("::ffff:192.0.2.1")
	tests := []struct {
		name               string
		family             Family
		four, six, mapped4 bool
	}{
		{"", AnyFamily, true, true, true},
		{"any", AnyFamily, true, true, true},
		{"ipv4", IPv4Only, true, false, true},
		{"ipv6", IPv6Only, false, true, false},
	}
	for _, tt := range tests {
		got, err := ParseFamily(tt.name)
		if err != nil || got != tt.family || tt.name != "" && got.String() != tt.name {
			t.Errorf("%q is %v, %v", tt.name, got, err)
		}
		if got.Allows(four) != tt.four || got.Allows(six) != tt.six || got.Allows(mapped) != tt.mapped4 {
			t.Errorf("%v allows %t %t %t", got, got.Allows(four), got.Allows(six), got.Allows(mapped))
		}
	}
	if _, err := ParseFamily("IPv4"); err == nil || !strings.Contains(err.Error(), "any, ipv4, ipv6") {
		t.Errorf("error %v", err)
	}
	for target, family := range map[netip.Addr]Family{four: IPv6Only, six: IPv4Only} {
		if _, err := (Spec{Target: target, Family: family}).complete(); err == nil || !strings.Contains(err.Error(), family.String()) {
			t.Errorf("%v of %v: error %v", target, family, err)
		}
	}
	if _, err := (Spec{Target: four, Family: 3}).complete(); err == nil {
		t.Error("family 3 is one")
	}
}
