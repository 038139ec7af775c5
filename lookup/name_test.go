package lookup

import (
	"strings"
	"testing"
)

// What is a DNS name, and which of these are host names.
func TestIsHostname(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, tt := range []struct {
		name string
		want bool // a name
	}{
		{"a", true},
		{"ae-1.cr3_x.example", true},
		{"1.2.3.4.example", true},
		{"3com", true},
		{"0xyz.x1", true},
		{"_a._b_", true},
		{"localhost", true},
		{"xn--mnchen-3ya.example", true},
		{"_dmarc.A-1.example", true},
		{label63 + ".example", true},
		{label63 + "a.example", false},
		{strings.Repeat("a.", 126) + "a", true},
		{strings.Repeat("a.", 127) + "a", false},
		{"", false},
		{".", false},
		{"a.", false},
		{".a", false},
		{"a..b", false},
		{"a b", false},
		{"a\x00b", false},
		{"a\x7f", false},
		{"a\\b", false},
		{"a/b", false},
		{"a:b", false},
		{"ä", false},
		{"a\tb", false},
	} {
		if got := validName(tt.name); got != tt.want {
			t.Errorf("validName(%q) = %v", tt.name, got)
		}
		if got := IsHostname(tt.name); got != tt.want {
			t.Errorf("IsHostname(%q) = %v", tt.name, got)
		}
	}
	for _, name := range []string{
		"8.8.8.8", "127.1", "2130706433", "0x7f.1", "1.0x7F000001", "0X", "010.8.8.8", "a.1", "1.2.3.4.5",
		"-", "-x.example", "x-.example", "a.-x", "a.x-", "--help", "-1",
	} {
		if !validName(name) || IsHostname(name) {
			t.Errorf("%q: name %v, host name %v", name, validName(name), IsHostname(name))
		}
	}
}

func TestASCIIName(t *testing.T) {
	for name, want := range map[string]string{
		"example.com": "example.com", "EXAMPLE_1.": "EXAMPLE_1.", "bücher.example": "xn--bcher-kva.example", "BÜCHER.Example.": "xn--bcher-kva.example.",
		"straße.example": "xn--strae-oqa.example", "_x.bücher": "_x.xn--bcher-kva", "例え。テスト": "xn--r8jz45g.xn--zckzah", "８.8.8.8": "8.8.8.8",
		"xn--bcher-kva.bücher": "xn--bcher-kva.xn--bcher-kva", "": "",
	} {
		if got, err := ASCIIName(name); got != want || err != nil {
			t.Errorf("%q: %q, %v; want %q", name, got, err, want)
		}
	}
	for _, name := range []string{"a\u202e", "-ü", "\xff", "אa.example", strings.Repeat("ü.", 400)} {
		if got, err := ASCIIName(name); err == nil {
			t.Errorf("%.20q: %q", name, got)
		}
	}
}
