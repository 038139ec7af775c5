package policy

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// spellings are the ways to write an IPv4 address into an IPv6 address, with
// noise where it is free.
func spellings(v4 netip.Addr, noise uint64) map[string]netip.Addr {
	v := v4.As4()
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], noise)
	isatap := func(first byte) netip.Addr {
		return netip.AddrFrom16([16]byte{0x26, 6, n[0], n[1], n[2], n[3], n[4], n[5], first, 0, 0x5e, 0xfe, v[0], v[1], v[2], v[3]})
	}
	return map[string]netip.Addr{
		"mapped":            netip.AddrFrom16([16]byte{10: 0xff, 11: 0xff, 12: v[0], 13: v[1], 14: v[2], 15: v[3]}),
		"compatible":        netip.AddrFrom16([16]byte{12: v[0], 13: v[1], 14: v[2], 15: v[3]}),
		"translated":        netip.AddrFrom16([16]byte{8: 0xff, 9: 0xff, 12: v[0], 13: v[1], 14: v[2], 15: v[3]}),
		"NAT64":             netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: v[0], 13: v[1], 14: v[2], 15: v[3]}),
		"NAT64 local /48":   netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 0, 1, v[0], v[1], 0, v[2], v[3], n[0], n[1], n[2], n[3], n[4]}),
		"NAT64 local /56":   netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 0, 1, n[7], v[0], 0, v[1], v[2], v[3], n[1], n[2], n[3], n[4]}),
		"NAT64 local /64":   netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 0, 1, n[6], n[7], 0, v[0], v[1], v[2], v[3], n[2], n[3], n[4]}),
		"NAT64 local /96":   netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 0, 1, n[4], n[5], 0, n[6], n[7], n[3], v[0], v[1], v[2], v[3]}),
		"6to4":              netip.AddrFrom16([16]byte{0x20, 2, v[0], v[1], v[2], v[3], n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], 0, 1}),
		"Teredo server":     netip.AddrFrom16([16]byte{0x20, 1, 0, 0, v[0], v[1], v[2], v[3], n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]}),
		"Teredo client":     netip.AddrFrom16([16]byte{0x20, 1, 0, 0, n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], ^v[0], ^v[1], ^v[2], ^v[3]}),
		"ISATAP":            isatap(0),
		"ISATAP, universal": isatap(2),
	}
}

// drawn is a policy of drawn rules, and what they were.
type drawn struct {
	rules Rules
	host  []netip.Prefix

	doNotProbe []netip.Prefix
}

// draw keeps to few bits, so that prefixes and addresses meet.
func draw(t *rapid.T) drawn {
	prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
		addr := drawAddr(t)
		prefix, err := addr.Prefix(rapid.IntRange(0, addr.BitLen()).Draw(t, "bits"))
		if err != nil {
			t.Fatal(err)
		}
		return prefix
	})
	list := rapid.SliceOfN(prefix, 0, 4)
	d := drawn{rules: Rules{
		Preset: rapid.SampledFrom([]Preset{Internal, Public}).Draw(t, "preset"),
		Allow:  list.Draw(t, "allow"),
		Deny:   list.Draw(t, "deny"),
	}}
	d.doNotProbe = list.Draw(t, "do not probe")
	d.rules.DoNotProbe = []*Set{SetOf(d.doNotProbe...)}
	for _, p := range list.Draw(t, "host") {
		d.host = append(d.host, netip.PrefixFrom(drawAddr(t), p.Bits()))
	}
	return d
}

func drawIPv4(t *rapid.T) netip.Addr {
	octet := rapid.SampledFrom([]byte{0, 1, 10, 127, 192, 224, 255})
	return netip.AddrFrom4([4]byte{octet.Draw(t, "a"), octet.Draw(t, "b"), octet.Draw(t, "c"), octet.Draw(t, "d")})
}

func drawAddr(t *rapid.T) netip.Addr {
	v4 := drawIPv4(t)
	kinds := []string{
		"", "compatible", "translated", "NAT64", "NAT64 local /48", "NAT64 local /56", "NAT64 local /64", "NAT64 local /96",
		"6to4", "Teredo server", "Teredo client", "ISATAP", "ISATAP, universal",
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	if kind == "" {
		return v4
	}
	return spellings(v4, rapid.SampledFrom([]uint64{0, 1 << 56, 0xa000001}).Draw(t, "noise"))[kind]
}

// allows is Check of an address without embedded ones, by going through
// everything.
func (d drawn) allows(addr netip.Addr) bool {
	if addr.IsUnspecified() || addr.IsMulticast() || addr.String() == "255.255.255.255" {
		return false
	}
	own := false
	for _, p := range d.host {
		own = own || p.Addr() == addr
		if !addr.Is4() || !p.Addr().Is4() || p.Bits() > 30 || !p.Contains(addr) {
			continue
		}
		if next := addr.Next(); !next.IsValid() || !p.Contains(next) {
			return false // the last of its network
		}
	}
	for _, p := range d.doNotProbe {
		if p.Contains(addr) {
			return false
		}
	}
	allow, deny := widest(d.rules.Allow, addr), widest(d.rules.Deny, addr)
	if deny >= 0 && deny >= allow {
		return false
	}
	if d.rules.Preset == Internal {
		return true
	}
	if own && allow < addr.BitLen() {
		return false
	}
	special, global := -1, true
	for _, s := range registry() {
		if p := netip.MustParsePrefix(s.prefix); p.Contains(addr) && p.Bits() > special {
			special, global = p.Bits(), s.global
		}
	}
	return global || allow >= special
}

// widest returns the length of the longest prefix that holds addr, or -1.
func widest(list []netip.Prefix, addr netip.Addr) int {
	bits := -1
	for _, p := range list {
		if p.Contains(addr) {
			bits = max(bits, p.Bits())
		}
	}
	return bits
}

func (d drawn) policy() *Policy {
	p := new(Policy)
	p.Replace(d.rules)
	p.SetHost(d.host)
	return p
}

// The tables decide what going through every rule decides.
func TestCheckAgainstReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		addr := drawAddr(t)
		want := d.allows(addr)
		for _, inner := range appendEmbedded(nil, addr) {
			want = want && d.allows(inner)
		}
		if err := d.policy().Check(addr); (err == nil) != want {
			t.Fatalf("%v: %v, want allowed %t", addr, err, want)
		}
	})
}

// However a refused IPv4 address is spelled, it is refused.
func TestEmbeddedRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := draw(t)
		v4 := drawIPv4(t)
		if v4.IsUnspecified() {
			return // padding of local NAT64 prefixes looks like it
		}
		if d.policy().Check(v4) == nil {
			d.rules.Deny = append(d.rules.Deny, netip.PrefixFrom(v4, 32))
			d.rules.Allow = nil
		}
		for name, addr := range spellings(v4, rapid.Uint64().Draw(t, "noise")) {
			if d.policy().Check(addr) == nil && !addr.IsLoopback() {
				t.Fatalf("%s form %v of %v may be probed", name, addr, v4)
			}
		}
	})
}

// Check takes any 16 octets, and an embedded form of an address that it
// refuses is refused whatever else the bits say.
func FuzzCheck(f *testing.F) {
	for _, text := range []string{"::", "::1", "224.0.0.1", "64:ff9b:1::", "2001::1", "2002:e000:1::", "fe80::5efe:10.0.0.1", "::ffff:10.0.0.1"} {
		octets := netip.MustParseAddr(text).As16()
		f.Add(octets[:], uint64(1))
	}
	var p Policy
	p.Replace(Rules{
		Preset: Public,
		Allow:  []netip.Prefix{netip.MustParsePrefix("0.0.0.0/1"), netip.MustParsePrefix("::/0")},
		Deny:   []netip.Prefix{netip.MustParsePrefix("12.0.0.0/6")},
	})
	p.SetHost([]netip.Prefix{netip.MustParsePrefix("9.9.9.9/8")})
	f.Fuzz(func(t *testing.T, octets []byte, noise uint64) {
		if len(octets) == 4 {
			octets = append(make([]byte, 12), octets...)
		}
		addr, ok := netip.AddrFromSlice(octets)
		if !ok {
			return
		}
		err := p.Check(addr)
		if err != nil && (err.Error() == "" || len(err.Error()) > 200) {
			t.Errorf("%v: %v", addr, err)
		}
		o := addr.As16()
		v4 := netip.AddrFrom4([4]byte(o[12:]))
		if v4.IsUnspecified() || p.Check(v4) == nil {
			return
		}
		for name, spelled := range spellings(v4, noise) {
			if p.Check(spelled) == nil {
				t.Errorf("%s form %v of %v may be probed", name, spelled, v4)
			}
		}
	})
}
