package lookup

import (
	"errors"
	"net/netip"
	"strings"
)

// maxHostname bounds the characters of a host name without a trailing dot (RFC
// 1035 section 2.3.4: 255 octets on the wire).
const maxHostname = 253

// CheckTarget returns nil when target can be traced: an IPv4 or IPv6
// address, or a host name by RFC 1123 section 2.1. Underscores are allowed,
// since many hosts in DNS have them, and so is a trailing dot. A name whose
// last label is a number is refused: it would be read as an address by some
// resolvers and as a name by others. Internationalised names may be written in
// either form (RFC 5891); see ASCIIName. The error completes a sentence
// that starts with the name of the field; it never quotes the target, which may
// be long and hostile.
func CheckTarget(target string) error {
	if target == "" {
		return errors.New("must not be empty")
	}
	if addr, err := netip.ParseAddr(target); err == nil {
		if addr.Zone() != "" {
			return errors.New("must be an address without a zone (%…)")
		}
		return nil
	}
	if err := notBare(target); err != nil {
		return err
	}
	ascii, err := ASCIIName(target)
	if err != nil {
		return errors.New("must be a host name or an address; this is no valid internationalised name (RFC 5891)")
	}
	name := strings.TrimSuffix(ascii, ".")
	switch {
	case IsHostname(name):
		return nil
	case len(name) > maxHostname:
		return errors.New("must be a host name of at most 253 characters or an address")
	case EndsInNumber(name) && IsHostname(name+"z"): // else there is more wrong with it
		return errors.New("must be a host name or an address; a name cannot end in a number")
	}
	return errors.New("must be a host name (labels of 1 to 63 letters, digits, - and _, not starting or ending with -) or an address")
}

// notBare returns what must not be around a name or address.
func notBare(target string) error {
	switch {
	case strings.Contains(target, "://"):
		return errors.New("must be a host name or address, not a URL")
	case strings.Contains(target, "/"):
		return errors.New("must be one host name or address, without path or prefix length")
	case strings.ContainsAny(target, "[]"):
		return errors.New("must be a host name or address without brackets or port; options.port sets the port")
	case strings.Contains(target, "%"):
		return errors.New("must be an address without a zone (%…)")
	case strings.Count(target, ":") == 1:
		return errors.New("must be a host name or address without a port; options.port sets the port")
	case strings.Contains(target, ":"):
		return errors.New("is not a valid IPv6 address")
	}
	return nil
}
