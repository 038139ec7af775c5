package policy

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadList(t *testing.T) {
	const list = "\ufeff# those who asked\r\n" +
		"192.0.2.1\r\n" +
		"\t198.51.100.0/24   # a whole network\n" +
		"\n" +
		"2001:db8::/32# v6\n" +
		"2001:db8::1\n" +
		"::ffff:203.0.113.0/120\n" +
		"::ffff:203.0.113.9\n" +
		"0.0.0.0/0"
	var texts []string
	if err := readList("list", strings.NewReader(list), func(p netip.Prefix) { texts = append(texts, p.String()) }); err != nil {
		t.Fatal(err)
	}
	want := []string{"192.0.2.1/32", "198.51.100.0/24", "2001:db8::/32", "2001:db8::1/128", "203.0.113.0/24", "203.0.113.9/32", "0.0.0.0/0"}
	if diff := cmp.Diff(want, texts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReadListFaults(t *testing.T) {
	tests := []struct {
		name, list, want string
	}{
		{"word", "192.0.2.1\nexample.com\n", `policy: list:2: "example.com" is not a prefix or an address`},
		{"zone", "fe80::1%eth0", `policy: list:1: "fe80::1%eth0" is not a prefix or an address`},
		{"two on a line", "192.0.2.1 192.0.2.2", `policy: list:1: "192.0.2.1 192.0.2.2" is not a prefix or an address`},
		{"length", "192.0.2.0/33", `policy: list:1: "192.0.2.0/33" is not a prefix or an address`},
		{"bits", "#\n192.0.2.1/24", `policy: list:2: 192.0.2.1/24 has bits behind its length; did you mean 192.0.2.0/24?`},
		{"all of them", "a\n192.0.2.1\nb", "policy: list:1: \"a\" is not a prefix or an address\npolicy: list:3: \"b\" is not a prefix or an address"},
		{"long line", "192.0.2.1\n#" + strings.Repeat("x", maxLine), "policy: list:2: line of more than 4096 bytes"},
		{"too many", strings.Repeat("192.0.2.1\n", maxList+1), "policy: list:1048577: more than 1048576 entries"},
		{"no end of faults", strings.Repeat("x\n", 1000), strings.TrimSuffix(faultsOf(maxFaults), "\n")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, err := ReadList("list", strings.NewReader(tt.list), nil)
			if err == nil || list != nil {
				t.Fatalf("%v, error %v", list, err)
			}
			if diff := cmp.Diff(tt.want, err.Error()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func faultsOf(n int) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(strings.Replace("policy: list:N: \"x\" is not a prefix or an address\n", "N", string(rune('1'+i)), 1))
	}
	return strings.Replace(all.String(), "list:::", "list:10:", 1)
}

// What is read can be written and read again, and no list makes it panic.
func FuzzReadList(f *testing.F) {
	f.Add("192.0.2.1/24")
	f.Add("# c\n::ffff:1.2.3.4/96\n")
	f.Fuzz(func(t *testing.T, list string) {
		var got []netip.Prefix
		if err := readList("list", strings.NewReader(list), func(p netip.Prefix) { got = append(got, p) }); err != nil {
			return
		}
		set := SetOf(got...)
		for _, p := range got {
			again, err := ParsePrefix(p.String())
			if err != nil || again != p || p.Addr().Is4In6() && p.Bits() >= 96 || p != p.Masked() {
				t.Errorf("%v is read as %v, %v", p, again, err)
			}
			if !set.Contains(p.Addr()) {
				t.Errorf("the set does not contain %v", p)
			}
		}
	})
}
