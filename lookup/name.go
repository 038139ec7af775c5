package lookup

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

const (
	maxName  = 253 // characters of a name, without the trailing dot
	maxLabel = 63  // characters between two dots (RFC 1035 section 2.3.4)
)

// IsHostname reports whether name, without a trailing dot, is a host name: up
// to 253 characters in labels of 1 to 63 letters, digits and hyphens that
// neither start nor end with a hyphen (RFC 952, RFC 1123 section 2.1), and that
// cannot be mistaken for an address. Underscores are allowed anywhere, since
// many hosts in DNS have them.
//
// DNS carries any byte, and the owner of an address chooses its PTR record. A
// name that passes holds no terminal escapes, markup or line breaks, is no
// option to a command, and does not pose as another address.
func IsHostname(name string) bool {
	if !validName(name) || EndsInNumber(name) {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	return true
}

// EndsInNumber reports whether the last label of name is a number in the forms
// that inet_aton(3) takes, decimal, octal or hexadecimal, such as in 8.8.8.8,
// 127.1 and 0x7f000001. Some programs read such a name as an address.
func EndsInNumber(name string) bool {
	label, digits := name[strings.LastIndexByte(name, '.')+1:], "0123456789"
	if label == "" {
		return false
	}
	if strings.HasPrefix(label, "0x") || strings.HasPrefix(label, "0X") {
		label, digits = label[2:], "0123456789abcdefABCDEF"
	}
	return strings.Trim(label, digits) == ""
}

// validName reports whether name, without its trailing dot, consists of labels
// of 1 to 63 letters, digits, hyphens and underscores, 253 characters in all.
func validName(name string) bool {
	if name == "" || len(name) > maxName {
		return false
	}
	label := 0
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > maxLabel {
			return false
		}
	}
	return label > 0
}

// maxUnicodeName bounds an internationalised name in bytes: four of each code
// point, of which there are fewer than characters in the xn-- form.
const maxUnicodeName = 4 * maxName

// ASCIIName returns name as DNS has it: an internationalised name with its
// labels in their xn-- form, mapped as browsers do for a look-up (UTS 46,
// non-transitional; RFC 5891), any other one unchanged. The result need not be
// a host name, and may be an address; see IsHostname.
func ASCIIName(name string) (string, error) {
	if !strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 }) {
		return name, nil
	}
	if len(name) > maxUnicodeName {
		return "", errors.New("longer than a host name can be")
	}
	if !utf8.ValidString(name) {
		return "", errors.New("not valid UTF-8")
	}
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))
	ascii, err := profile.ToASCII(name)
	if err != nil {
		return "", fmt.Errorf("not a valid internationalised name: %w", err)
	}
	return ascii, nil
}
