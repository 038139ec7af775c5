package policy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

const (
	// maxList bounds the prefixes of a list: up to 18 MB.
	maxList = 1 << 20
	// maxLine bounds a line of a list: a prefix, and a sentence about it.
	maxLine = 4096
	// maxFaults bounds the errors told about one list.
	maxFaults = 10
)

// ParsePrefix reads a prefix, or an address, which is the prefix that holds it
// alone. IPv4-mapped ones are those of IPv4. Bits behind the prefix's length
// must be 0: whoever wrote them meant something else.
func ParsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%.60q is not a prefix or an address", text)
	}
	if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
		prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
	}
	if prefix != prefix.Masked() {
		return netip.Prefix{}, fmt.Errorf("%v has bits behind its length; did you mean %v?", prefix, prefix.Masked())
	}
	return prefix, nil
}

// ReadList reads a list of prefixes and addresses, one a line. What follows #
// is a comment; empty lines do not count. The error joins one for each of the
// first wrong lines, with the name of the list and the line.
//
// before is what the list was when it was last read, or nil. The Set shares
// memory with it, all of it when the list has not changed.
func ReadList(name string, r io.Reader, before *Set) (*Set, error) {
	b := newSetBuilder(before)
	if err := readList(name, r, b.add); err != nil {
		return nil, err
	}
	return b.build(), nil
}

// readList calls add with each prefix of a list.
func readList(name string, r io.Reader, add func(netip.Prefix)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var wrong []error
	line, entries := 0, 0
	for lines.Scan() && len(wrong) < maxFaults {
		line++
		text := lines.Bytes()
		if line == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		entry, _, _ := bytes.Cut(text, []byte("#"))
		if entry = bytes.TrimSpace(entry); len(entry) == 0 {
			continue
		}
		prefix, err := ParsePrefix(string(entry))
		if err == nil && entries == maxList {
			return fmt.Errorf("policy: %s:%d: more than %d entries", name, line, maxList)
		}
		if err != nil {
			wrong = append(wrong, fmt.Errorf("policy: %s:%d: %w", name, line, err))
			continue
		}
		entries++
		add(prefix)
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		wrong = append(wrong, fmt.Errorf("policy: %s:%d: line of more than %d bytes", name, line+1, maxLine))
	} else if err != nil {
		wrong = append(wrong, fmt.Errorf("policy: %s:%d: %w", name, line+1, err))
	}
	return errors.Join(wrong...)
}
