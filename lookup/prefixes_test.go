package lookup

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestAppendPrefixes(t *testing.T) {
	const highest6 = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
	for _, tt := range []struct {
		first, last string
		want        []string
	}{
		{"1.0.0.0", "1.0.0.255", []string{"1.0.0.0/24"}},
		{"1.0.0.7", "1.0.0.7", []string{"1.0.0.7/32"}},
		{"1.0.1.0", "1.0.3.255", []string{"1.0.1.0/24", "1.0.2.0/23"}},
		{"203.0.113.1", "203.0.113.6", []string{"203.0.113.1/32", "203.0.113.2/31", "203.0.113.4/31", "203.0.113.6/32"}},
		{"0.0.0.0", "255.255.255.255", []string{"0.0.0.0/0"}},
		{"255.255.255.254", "255.255.255.255", []string{"255.255.255.254/31"}},
		{"::", highest6, []string{"::/0"}},
		{highest6, highest6, []string{highest6 + "/128"}},
		{"2001:db8::", "2001:db8:0:ffff:ffff:ffff:ffff:ffff", []string{"2001:db8::/48"}},
		{"2001:db8::8000:0:0:0", "2001:db8:0:1:ffff:ffff:ffff:ffff", []string{"2001:db8:0:0:8000::/65", "2001:db8:0:1::/64"}},
	} {
		var got []string
		for _, prefix := range appendPrefixes(nil, netip.MustParseAddr(tt.first), netip.MustParseAddr(tt.last)) {
			got = append(got, prefix.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s to %s (-want +got):\n%s", tt.first, tt.last, diff)
		}
	}
	for _, tt := range []struct {
		first, last string
		want        int
	}{
		{"0.0.0.1", "255.255.255.254", 62},
		{"::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 254},
	} {
		if got := len(appendPrefixes(nil, netip.MustParseAddr(tt.first), netip.MustParseAddr(tt.last))); got != tt.want {
			t.Errorf("%s to %s: %d prefixes, want %d", tt.first, tt.last, got, tt.want)
		}
	}
}

// Prefixes of a range follow one another from its first address to its last,
// and no two neighbours are halves of one.
func TestAppendPrefixesRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) netip.Addr {
			// Many zeros and ones make for ends that are aligned, or nearly.
			word := rapid.OneOf(rapid.Uint64(), rapid.SampledFrom([]uint64{0, 1, ^uint64(0), ^uint64(0) - 1, 1 << 63}))
			var octets [16]byte
			binary.BigEndian.PutUint64(octets[:8], word.Draw(t, name+" high"))
			binary.BigEndian.PutUint64(octets[8:], word.Draw(t, name+" low"))
			return netip.AddrFrom16(octets)
		}
		first, last := draw("first"), draw("last")
		if rapid.Bool().Draw(t, "IPv4") {
			a, b := first.As16(), last.As16()
			first, last = netip.AddrFrom4([4]byte(a[4:8])), netip.AddrFrom4([4]byte(b[4:8]))
		}
		if last.Less(first) {
			first, last = last, first
		}
		prefixes := appendPrefixes(nil, first, last)
		next := first
		for i, prefix := range prefixes {
			if prefix.Addr() != next || prefix != prefix.Masked() {
				t.Fatalf("%v is not what follows before %v", prefix, next)
			}
			if i > 0 && prefixes[i-1].Bits() == prefix.Bits() {
				whole := netip.PrefixFrom(prefix.Addr(), prefix.Bits()-1)
				if whole.Contains(prefixes[i-1].Addr()) {
					t.Fatalf("%v and %v are one", prefixes[i-1], prefix)
				}
			}
			next = lastOf(prefix).Next() // invalid behind the highest
			if !next.IsValid() && i < len(prefixes)-1 {
				t.Fatalf("%v wraps around", prefix)
			}
		}
		if end := lastOf(prefixes[len(prefixes)-1]); end != last {
			t.Fatalf("ends at %v, want %v", end, last)
		}
	})
}

func lastOf(prefix netip.Prefix) netip.Addr {
	octets := prefix.Addr().AsSlice()
	for i := prefix.Bits(); i < len(octets)*8; i++ {
		octets[i/8] |= 0x80 >> (i % 8)
	}
	addr, _ := netip.AddrFromSlice(octets)
	return addr
}
