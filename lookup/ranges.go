package lookup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
)

const (
	// maxLine bounds a line of a range file: two addresses, a number, and the
	// name of whom it belongs to.
	maxLine = 4096
	// linesPerCheck is how many lines pass between two looks at the context.
	linesPerCheck = 4096
)

// errCut refuses a text whose last line does not end: it may have lost digits,
// and 64500 be read as 645.
var errCut = errors.New("the last line does not end in a newline, so the file may be cut short; if it is complete, add the newline")

// addRanges adds the lines of a range file. They start with the first and the
// last address of a range and the AS number, separated by tabs (IPtoASN) or
// commas (ip-location-db); what follows is for people. Empty lines and those
// that start with # do not count. Every line ends in a newline, unless the file
// is known to be whole.
func (f *fileTable) addRanges(ctx context.Context, name string, content io.Reader, whole bool) error {
	lines := bufio.NewReaderSize(content, maxLine)
	var prefixes []netip.Prefix // reused
	ranges := 0
	for number := 1; ; number++ {
		if number%linesPerCheck == 0 && ctx.Err() != nil {
			return fmt.Errorf("%s: %w", name, ctx.Err())
		}
		line, ending := lines.ReadSlice('\n')
		switch {
		case errors.Is(ending, bufio.ErrBufferFull), len(line) > maxLine:
			ending = fmt.Errorf("line of more than %d bytes", maxLine)
		case errors.Is(ending, io.EOF) && len(line) > 0 && !whole:
			ending = errCut
		}
		if ending != nil && !errors.Is(ending, io.EOF) {
			return fmt.Errorf("%s:%d: %w", name, number, ending)
		}
		line = bytes.TrimSpace(line)
		if len(line) > 0 && line[0] != '#' {
			ranges++
			var err error
			if prefixes, err = f.addRange(line, prefixes[:0]); err != nil {
				return fmt.Errorf("%s:%d: %w", name, number, err)
			}
		}
		if ending != nil {
			break
		}
	}
	if ranges == 0 {
		return fmt.Errorf("%s: no ranges", name)
	}
	return nil
}

// addRange adds one line. It returns buffer, grown if need be.
func (f *fileTable) addRange(line []byte, buffer []netip.Prefix) ([]netip.Prefix, error) {
	first, last, asn, err := parseRange(line)
	if err != nil {
		return buffer, err
	}
	buffer = appendPrefixes(buffer, first, last)
	for _, prefix := range buffer {
		if err := f.add(prefix, asn); err != nil {
			return buffer, err
		}
	}
	return buffer, nil
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
	if first, last, err = parseEnds(fields[0], fields[1]); err != nil {
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

// parseEnds reads the first and the last address of a range. Numbers stand for
// addresses of IPv4 when both are below 2^32, as in ip2asn-v4-u32.tsv and
// asn-ipv4-num.csv, and otherwise for those of IPv6, as in asn-ipv6-num.csv.
// Ranges of IPv4-mapped addresses are ranges of IPv4.
func parseEnds(from, to []byte) (first, last netip.Addr, err error) {
	if isDigits(from) && isDigits(to) {
		first, last, err = parseNumbers(string(from), string(to))
	} else {
		if first, err = parseAddress(from); err == nil {
			last, err = parseAddress(to)
		}
	}
	if first.Is4In6() && last.Is4In6() {
		first, last = first.Unmap(), last.Unmap()
	}
	return first, last, err
}

func isDigits(text []byte) bool {
	return len(text) > 0 && bytes.Trim(text, "0123456789") == nil
}

func parseNumbers(from, to string) (first, last netip.Addr, err error) {
	var ends [2]uint128
	is4 := true
	for i, text := range []string{from, to} {
		number, ok := parseUint128(text)
		if !ok {
			return first, last, fmt.Errorf("%.60q is not the number of an address", text)
		}
		ends[i] = number
		is4 = is4 && number.hi == 0 && number.lo <= math.MaxUint32
	}
	return ends[0].addr(is4), ends[1].addr(is4), nil
}

func parseAddress(text []byte) (netip.Addr, error) {
	addr, err := netip.ParseAddr(string(text))
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}, fmt.Errorf("%.60q is not an address", text)
	}
	return addr, nil
}
