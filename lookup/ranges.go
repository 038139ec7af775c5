package lookup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
)

const (
	// maxLine bounds a line of a range file: two addresses, a number, and the
	// name of whom it belongs to.
	maxLine = 4096
	// linesPerCheck is how many lines pass between two looks at the context.
	linesPerCheck = 4096
)

// addRanges adds the lines of a range file. They start with the first and the
// last address of a range and the AS number, separated by tabs (IPtoASN) or
// commas (ip-location-db); what follows is for people. Empty lines and those
// that start with # do not count.
func (t *table) addRanges(ctx context.Context, name string, content io.Reader) error {
	lines := bufio.NewScanner(content)
	lines.Buffer(make([]byte, maxLine), maxLine)
	var prefixes []netip.Prefix // reused
	number, ranges := 0, 0
	for lines.Scan() {
		number++
		if number%linesPerCheck == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		first, last, asn, err := parseRange(line)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, number, err)
		}
		ranges++
		prefixes = appendPrefixes(prefixes[:0], first, last)
		for _, prefix := range prefixes {
			if err := t.add(prefix, asn); err != nil {
				return fmt.Errorf("%s:%d: %w", name, number, err)
			}
		}
	}
	if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: line of more than %d bytes", name, number+1, maxLine)
	} else if err != nil {
		return fmt.Errorf("%s:%d: %w", name, number+1, err)
	}
	if ranges == 0 {
		return fmt.Errorf("%s: no ranges", name)
	}
	return nil
}

// parseRange reads the fields that count of a line.
func parseRange(line []byte) (first, last netip.Addr, asn uint32, err error) {
	separator := byte(',')
	if bytes.IndexByte(line, '\t') >= 0 {
		separator = '\t'
	}
	var fields [3][]byte
	for i := range fields {
		if line == nil {
			return first, last, 0, errors.New("fewer than three fields: first address, last address, AS number")
		}
		field, rest, more := bytes.Cut(line, []byte{separator})
		fields[i] = bytes.Trim(field, `" `)
		if line = rest; !more {
			line = nil
		}
	}
	if first, err = parseAddress(fields[0]); err != nil {
		return first, last, 0, err
	}
	if last, err = parseAddress(fields[1]); err != nil {
		return first, last, 0, err
	}
	if first.BitLen() != last.BitLen() {
		return first, last, 0, fmt.Errorf("range from %v to %v: two address families", first, last)
	}
	if last.Less(first) {
		return first, last, 0, fmt.Errorf("range from %v to %v: ends before it starts", first, last)
	}
	asn, err = parseASN(string(fields[2]))
	return first, last, asn, err
}

func parseAddress(text []byte) (netip.Addr, error) {
	addr, err := netip.ParseAddr(string(text))
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%.60q is not an address", text)
	}
	return addr, nil
}
