package policy

import (
	"bytes"
	"net/netip"
	"sort"
)

// runLength bounds the prefixes of a run.
const runLength = 1 << 16

// Set is a set of prefixes that takes little memory, as a list may have a
// million and at a reload two are in memory: 5 bytes for each of IPv4, up to 17
// for each of IPv6. Its zero value is empty. A Set is not changed once it has
// been returned.
type Set struct {
	four, six runs // by family, since ::/0 does not hold IPv4 addresses
	read      int  // prefixes added, duplicates included
}

// SetOf returns the set of prefixes as ParsePrefix returns them.
func SetOf(prefixes ...netip.Prefix) *Set {
	b := newSetBuilder(nil)
	for _, prefix := range prefixes {
		b.add(prefix)
	}
	return b.build()
}

// Len returns how many prefixes the set was made of, duplicates included; 0 for
// nil.
func (s *Set) Len() int {
	if s == nil {
		return 0
	}
	return s.read
}

// Contains reports whether a prefix of the set contains addr, which must not be
// IPv4-mapped.
func (s *Set) Contains(addr netip.Addr) bool {
	if addr.Is4() {
		return s.four.contains(addr)
	}
	return s.six.contains(addr)
}

// runs are the prefixes of one family, in parts: a single array would need a
// second copy of itself to grow.
type runs []run

// run is a sorted array of prefixes, none of which contains another one. It has
// a row for each: the first octets, 0 behind its length, and the length in bits.
type run struct {
	width int // octets in a row: as many as the longest prefix needs
	rows  []byte
}

// newRun returns the run of entries, which are sorted.
func newRun(entries []entry) run {
	longest := 0
	for i := range entries {
		longest = max(longest, int(entries[i].bits))
	}
	width := (longest + 7) / 8
	r := run{width, make([]byte, 0, len(entries)*(width+1))}
	for i := range entries {
		r.rows = append(append(r.rows, entries[i].octets[:width]...), entries[i].bits)
	}
	return r
}

func (r run) len() int { return len(r.rows) / (r.width + 1) }

// row returns the octets and the length of a prefix.
func (r run) row(i int) (octets []byte, bits uint8) {
	row := r.rows[i*(r.width+1):][:r.width+1]
	return row[:r.width], row[r.width]
}

func (r runs) contains(addr netip.Addr) bool {
	octets := octetsOf(addr)
	for _, run := range r {
		// As no two overlap, only the last one that begins at addr or before it
		// can contain it.
		after := sort.Search(run.len(), func(i int) bool {
			row, _ := run.row(i)
			return bytes.Compare(row, octets[:run.width]) > 0
		})
		if after == 0 {
			continue
		}
		if row, bits := run.row(after - 1); covers(row, bits, &octets) {
			return true
		}
	}
	return false
}

// covers reports whether a prefix contains an address.
func covers(prefix []byte, bits uint8, addr *[16]byte) bool {
	whole, rest := bits/8, bits%8
	if !bytes.Equal(prefix[:whole], addr[:whole]) {
		return false
	}
	return rest == 0 || (prefix[whole]^addr[whole])>>(8-rest) == 0
}

// octetsOf returns the octets of an address, those of IPv4 in front.
func octetsOf(addr netip.Addr) (octets [16]byte) {
	if addr.Is4() {
		four := addr.As4()
		copy(octets[:], four[:])
		return octets
	}
	return addr.As16()
}
