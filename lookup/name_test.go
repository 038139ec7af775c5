package lookup

import (
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	label63 := strings.Repeat("a", 63)
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"a", true},
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
	}
}
