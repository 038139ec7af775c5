package policy

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A set of several runs contains what one of its prefixes contains, and nothing
// else.
func TestSet(t *testing.T) {
	var all []netip.Prefix
	add := func(addr netip.Addr, bits int) {
		all = append(all, netip.PrefixFrom(addr, bits).Masked())
	}
	// Two runs and a half of each family: every other address, some twice, some
	// within others.
	four, six := netip.MustParseAddr("10.0.0.0"), netip.MustParseAddr("2001:db8::")
	for i := range runLength * 5 / 2 {
		add(four, 32-i%3)
		add(six, 128-i%3)
		four, six = four.Next().Next(), six.Next().Next()
		if i%1000 == 0 {
			add(four, 24)
			add(six, 120)
		}
	}
	s := SetOf(all...)
	if s.Len() != len(all) {
		t.Errorf("made of %d prefixes, want %d", s.Len(), len(all))
	}
	for _, p := range all {
		if !s.Contains(p.Addr()) {
			t.Fatalf("%v is not in it", p)
		}
	}
	for _, text := range []string{"9.255.255.255", "11.0.0.0", "0.0.0.0", "255.255.255.255", "::", "2001:db8:1::", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "a00::"} {
		if s.Contains(netip.MustParseAddr(text)) {
			t.Errorf("%s is in it", text)
		}
	}
	if new(Set).Contains(four) {
		t.Error("the zero Set is not empty")
	}

	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.Custom(func(t *rapid.T) netip.Prefix {
			addr := drawAddr(t)
			return netip.PrefixFrom(addr, rapid.IntRange(0, addr.BitLen()).Draw(t, "bits")).Masked()
		})
		list := rapid.SliceOfN(prefix, 0, 30).Draw(t, "list")
		addr := drawAddr(t)
		want := false
		for _, p := range list {
			want = want || p.Contains(addr)
		}
		if SetOf(list...).Contains(addr) != want {
			t.Fatalf("%v: want %t", addr, want)
		}
	})
}

// A list that is read again shares the runs before the first change.
func TestReadListShares(t *testing.T) {
	var list strings.Builder
	addr := netip.MustParseAddr("10.0.0.0")
	for range runLength * 3 {
		fmt.Fprintln(&list, addr)
		addr = addr.Next().Next()
	}
	read := func(text string, before *Set) *Set {
		t.Helper()
		s, err := ReadList("list", strings.NewReader(text), before)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := read(list.String(), nil)
	longer := read(list.String()+"192.0.2.1", first)
	for i, run := range first.four {
		if &run.rows[0] != &longer.four[i].rows[0] {
			t.Errorf("run %d is copied", i)
		}
	}
	changed := read("192.0.2.1\n"+list.String(), first)
	if addr := netip.MustParseAddr("192.0.2.1"); first.Contains(addr) || !longer.Contains(addr) || !changed.Contains(addr) {
		t.Errorf("the list that was read first has changed, or the others lack %v", addr)
	}
	for _, s := range []*Set{longer, changed} {
		if last := addr.Prev().Prev(); !s.Contains(last) || s.Contains(addr) {
			t.Errorf("ends elsewhere than at %v", last)
		}
	}
}

// BenchmarkSetContains asks for an address that is in none of 16 runs.
func BenchmarkSetContains(b *testing.B) {
	build := newSetBuilder(nil)
	addr := netip.MustParseAddr("2001:db8::")
	for range maxList {
		build.add(netip.PrefixFrom(addr, 128))
		addr = addr.Next().Next()
	}
	s := build.build()
	addr = netip.MustParseAddr("2001:db8::8:0001")
	for b.Loop() {
		s.Contains(addr)
	}
}
