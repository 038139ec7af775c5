package policy

import (
	"net/netip"
	"strings"
	"testing"
)

// prefixes reads a list that a test has written down.
func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var list []netip.Prefix
	if err := readList("test", strings.NewReader(strings.Join(texts, "\n")), func(p netip.Prefix) { list = append(list, p) }); err != nil {
		t.Fatal(err)
	}
	return list
}

const (
	noHost  = "is not the address of a host"
	listed  = "is not to be probed from here"
	private = "is in a special-purpose range: private use (RFC 1918)"
	holds   = "holds an IPv4 address that "
)

func TestCheck(t *testing.T) {
	host := []netip.Prefix{
		netip.MustParsePrefix("203.0.113.5/24"), netip.MustParsePrefix("9.9.9.9/32"), netip.MustParsePrefix("9.9.8.0/31"),
		netip.MustParsePrefix("2620:fe::9/64"),
	}
	none := Rules{}
	public := Rules{Preset: Public}
	lists := Rules{
		Allow: prefixes(t, "10.1.0.0/16", "10.1.2.3", "8.8.8.0/24", "2001:db8:1::/48"),
		Deny:  prefixes(t, "10.0.0.0/8", "10.1.2.0/24", "8.8.8.0/24", "2001:db8::/32", "::ffff:7.0.0.0/104"),
	}
	only := Rules{Preset: Public, Deny: prefixes(t, "0.0.0.0/0", "::/0"), Allow: prefixes(t, "1.1.1.0/24", "192.168.7.0/24", "2606:4700::/32")}
	opened := Rules{
		Preset:     Public,
		Allow:      prefixes(t, "0.0.0.0/0", "::/0", "172.16.0.0/12", "192.168.1.0/24", "203.0.113.5", "2001:db8::/32", "1.2.3.0/24"),
		DoNotProbe: []*Set{SetOf(), SetOf(prefixes(t, "1.2.3.4", "2606:4700:bad::/48")...)},
	}
	tests := []struct {
		rules Rules
		addr  string
		want  string // error; "" means that it may be probed
	}{
		// Whatever the rules.
		{none, "0.0.0.0", noHost},
		{none, "::", noHost},
		{none, "224.0.0.1", noHost},
		{none, "239.255.255.255", noHost},
		{none, "ff02::1", noHost},
		{none, "255.255.255.255", noHost},
		{none, "::ffff:255.255.255.255", noHost},
		{none, "::ffff:224.0.0.1", noHost},
		{none, "203.0.113.255", listed}, // broadcast of the host's own network
		{none, "::ffff:203.0.113.255", listed},
		{none, "64:ff9b::203.0.113.255", holds + listed},
		{none, "203.0.113.0", ""},
		{none, "9.9.8.1", ""}, // a link of two addresses has none
		{none, "fe80::1%eth0", noHost},

		// Everything that can be a host.
		{none, "127.0.0.1", ""},
		{none, "::1", ""},
		{none, "10.0.0.1", ""},
		{none, "203.0.113.5", ""},
		{none, "240.0.0.1", ""},
		{none, "fc00::1", ""},
		{none, "2001:db8::1", ""},

		// Embedded forms of 224.0.0.1, each beside one of 8.8.8.8.
		{none, "::224.0.0.1", holds + noHost},
		{none, "::8.8.8.8", ""},
		{none, "::ffff:0:224.0.0.1", holds + noHost},
		{none, "::ffff:0:8.8.8.8", ""},
		{none, "64:ff9b::224.0.0.1", holds + noHost},
		{none, "64:ff9b::8.8.8.8", ""},
		{none, "64:ff9b::0.0.0.0", holds + noHost},
		{none, "64:ff9b:1:e000:0:100::", holds + noHost},    // /48
		{none, "64:ff9b:1:808:8:800::", ""},                 // /48
		{none, "64:ff9b:1:5e0:0:1::", holds + noHost},       // /56
		{none, "64:ff9b:1:508:8:808::", ""},                 // /56
		{none, "64:ff9b:1:5:e0:0:100:0", holds + noHost},    // /64
		{none, "64:ff9b:1:5:8:808:800:0", ""},               // /64
		{none, "64:ff9b:1:5:0:0:224.0.0.1", holds + noHost}, // /96
		{none, "64:ff9b:1:5:0:0:8.8.8.8", ""},               // /96
		{none, "64:ff9b:1::", holds + noHost},
		{none, "64:ff9b:1:e000:0:100:dead:beef", holds + noHost}, // /48, and a suffix that translators ignore
		{none, "2002:e000:1::1", holds + noHost},
		{none, "2002:808:808::1", ""},
		{none, "2001:0:808:808:0:0:1fff:fffe", holds + noHost}, // Teredo client
		{none, "2001:0:e000:1:0:0:f7f7:f7f7", holds + noHost},  // Teredo server
		{none, "2001:0:808:808:0:0:f7f7:f7f7", ""},
		{none, "2606:4700::5efe:224.0.0.1", holds + noHost},
		{none, "2606:4700::200:5efe:224.0.0.1", holds + noHost},
		{none, "fe80::5efe:8.8.8.8", ""},
		{none, "2606:4700::100:5efe:224.0.0.1", ""}, // a group, no ISATAP interface

		// The preset public.
		{public, "1.1.1.1", ""},
		{public, "2606:4700:4700::1111", ""},
		{public, "10.255.0.1", private},
		{public, "::ffff:10.255.0.1", private},
		{public, "64:ff9b::10.255.0.1", holds + private},
		{public, "64:ff9b::1.1.1.1", ""},
		{public, "2001:db8::1", "is in a special-purpose range: documentation (RFC 3849)"},
		{public, "192.0.0.9", ""},
		{public, "192.0.0.11", "is in a special-purpose range: IETF protocol assignments (RFC 6890)"},
		{public, "2001:1::1", ""},
		{public, "2001:1::4", "is in a special-purpose range: IETF protocol assignments (RFC 2928)"},
		{public, "4000::1", "is in a special-purpose range: reserved by IETF (RFC 4291)"},
		{public, "::1", "is in a special-purpose range: loopback (RFC 4291)"},
		{public, "9.9.9.9", listed}, // the host's own
		{public, "2620:fe::9", listed},
		{public, "64:ff9b::9.9.9.9", holds + listed},
		{public, "9.9.9.10", ""},

		// The longest prefix of both lists decides, the denying one of equals.
		{lists, "10.2.0.1", listed},
		{lists, "10.1.0.1", ""},
		{lists, "10.1.2.4", listed},
		{lists, "10.1.2.3", ""},
		{lists, "8.8.8.8", listed},
		{lists, "7.1.2.3", listed},
		{lists, "2001:db8:2::1", listed},
		{lists, "2001:db8:1::1", ""},
		{lists, "11.0.0.1", ""},
		{lists, "::ffff:10.2.0.1", listed},
		{lists, "2002:a02:1::1", holds + listed},
		{lists, "2002:a01:1::1", ""},

		// All but what is allowed.
		{only, "1.1.1.1", ""},
		{only, "1.0.0.1", listed},
		{only, "192.168.7.7", ""},
		{only, "2606:4700::1", ""},
		{only, "2620::1", listed},
		{only, "2606:4700::5efe:1.1.1.1", ""},
		{only, "2606:4700::5efe:1.0.0.1", holds + listed},

		// What is allowed opens the preset's ranges, if it is not wider, but
		// nobody's wish.
		{opened, "10.0.0.1", private},
		{opened, "172.16.0.1", ""},
		{opened, "192.168.1.1", ""},
		{opened, "192.168.2.1", private},
		{opened, "203.0.113.5", ""},
		{opened, "9.9.9.9", listed},
		{opened, "2001:db8::1", ""},
		{opened, "1.2.3.5", ""},
		{opened, "1.2.3.4", listed},
		{opened, "::ffff:1.2.3.4", listed},
		{opened, "2002:102:304::1", "is in a special-purpose range: 6to4 (RFC 3056)"},
		{opened, "2606:4700:bad::1", listed},
		{opened, "255.255.255.255", noHost},
	}
	for _, tt := range tests {
		var p Policy
		p.Replace(tt.rules)
		p.SetHost(host)
		got := ""
		if err := p.Check(netip.MustParseAddr(tt.addr)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%v policy: %s %q, want %q", tt.rules.Preset, tt.addr, got, tt.want)
		}
	}
}

func TestZeroPolicy(t *testing.T) {
	var p Policy
	for addr, want := range map[string]error{"10.0.0.1": nil, "::1": nil, "224.0.0.1": errNoHost} {
		if err := p.Check(netip.MustParseAddr(addr)); err != want {
			t.Errorf("%s: %v, want %v", addr, err, want)
		}
	}
	if err := p.Check(netip.Addr{}); err != errNoHost {
		t.Errorf("no address at all: %v", err)
	}
}

// The host's addresses change while the policy is in force, and so do rules.
func TestReplace(t *testing.T) {
	var p Policy
	addr := netip.MustParseAddr("9.9.9.9")
	steps := []struct {
		change func()
		want   error
	}{
		{func() { p.Replace(Rules{Preset: Public}) }, nil},
		{func() { p.SetHost([]netip.Prefix{netip.PrefixFrom(addr, 24)}) }, errListed},
		{func() { p.SetHost(nil) }, nil},
		{func() { p.Replace(Rules{Deny: []netip.Prefix{netip.PrefixFrom(addr, 32)}}) }, errListed},
		{func() { p.Replace(Rules{}) }, nil},
	}
	for i, step := range steps {
		step.change()
		if err := p.Check(addr); err != step.want {
			t.Errorf("step %d: %v, want %v", i, err, step.want)
		}
	}
}

// Every entry of the registry is a prefix, has its reason, and is met by its
// own first address, unless a narrower one holds that.
func TestRegistry(t *testing.T) {
	var p Policy
	p.Replace(Rules{Preset: Public})
	seen := make(map[netip.Prefix]bool)
	for _, s := range registry() {
		prefix := netip.MustParsePrefix(s.prefix)
		if prefix != prefix.Masked() || seen[prefix] || s.purpose == "" || !strings.HasPrefix(s.rfc, "RFC ") {
			t.Errorf("entry %+v", s)
		}
		seen[prefix] = true
		if s.global || prefix.Bits() == 0 {
			continue
		}
		if err := p.Check(prefix.Addr()); err == nil {
			t.Errorf("%s may be probed", s.prefix)
		}
	}
}
