package lookup

import (
	"strings"
	"testing"
)

func TestCheckTarget(t *testing.T) {
	label := strings.Repeat("a", 63)
	long := strings.Join([]string{label, label, label, strings.Repeat("b", 61)}, ".") // 253 characters
	for _, good := range []string{
		"192.0.2.1", "2001:db8::1", "::1", "::ffff:192.0.2.1", "::", "example.com", "example.com.", "EXAMPLE.com",
		"localhost", "a", "1.a", "3com.com", "_dmarc.example.com", "a_b.example", "xn--bcher-kva.example", label + ".com", long, long + ".",
		"0xyz", "1e100.net.", "a.b0x1", "bücher.example", "Bücher.example.", "例え.テスト", "bücher。example", strings.Repeat("ü", 55) + ".example",
	} {
		if err := CheckTarget(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	tests := map[string]string{ // target to a word of the complaint
		"":                       "empty",
		" ":                      "labels",
		" 192.0.2.1":             "labels",
		"http://example.com":     "URL",
		"icmp://192.0.2.1":       "URL",
		"192.0.2.0/24":           "prefix length",
		"example.com/path":       "path",
		"[2001:db8::1]":          "brackets",
		"[2001:db8::1]:80":       "brackets",
		"192.0.2.1:80":           "port",
		"example.com:80":         "port",
		"fe80::1%eth0":           "zone",
		"fe80::1%":               "zone",
		"2001:db8::1::2":         "IPv6",
		"1:2:3:4:5:6:7:8:9":      "IPv6",
		"bücher.example:80":      "port",
		"１９２.０.２.１":              "number",
		"bü cher.example":        "labels",
		"bü/cher.example":        "path",
		"-ü.example":             "internationalised",
		"ü\u202e.example":        "internationalised",
		"\xff.example":           "internationalised",
		strings.Repeat("ü", 70):  "labels",
		strings.Repeat("ü.", 99): "253",
		strings.Repeat("ü", 1e6): "internationalised",
		"example.com\x00":        "labels",
		"example.com\n":          "labels",
		"exa mple.com":           "labels",
		"user@example.com":       "labels",
		".":                      "labels",
		".example.com":           "labels",
		"example..com":           "labels",
		"example.com..":          "labels",
		"-a.example":             "labels",
		"a-.example":             "labels",
		label + "a.com":          "labels",
		long + "b":               "253",
		strings.Repeat("a", 1e6): "253",
		"192.0.2":                "number",
		"192.0.2.256":            "number",
		"192.0.2.1.5":            "number",
		"192.0.2.1.":             "number",
		"0x7f.1":                 "number",
		"127.0x1":                "number",
		"0X7f000001":             "number",
		"0x":                     "number",
		"2130706433":             "number",
	}
	for target, word := range tests {
		if err := CheckTarget(target); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%.40q: error %v, want one about %q", target, err, word)
		}
	}
}
