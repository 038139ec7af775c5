package policy

import (
	"bytes"
	"net/netip"
	"sort"
)

// runLength bounds a run: 1.1 MB.
const runLength = 1 << 16

// Set is a set of prefixes that takes 17 bytes for each: a list may have a
// million, and at a reload two are in memory. Its zero value is empty. A Set is
// not changed once it has been returned.
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
// second copy of itself to grow. Each run is sorted, and none of its prefixes
// contains another one of it.
type runs [][]entry

// entry is a prefix: the first octets, 0 behind its length, and the length in
// bits.
type entry struct {
	octets [16]byte
	bits   uint8
}

func (r runs) contains(addr netip.Addr) bool {
	octets := octetsOf(addr)
	for _, run := range r {
		// As no two overlap, only the last one that begins at addr or before it
		// can contain it.
		after := sort.Search(len(run), func(i int) bool { return bytes.Compare(run[i].octets[:], octets[:]) > 0 })
		if after > 0 && run[after-1].contains(&octets) {
			return true
		}
	}
	return false
}

func (e *entry) contains(octets *[16]byte) bool {
	whole, rest := e.bits/8, e.bits%8
	if !bytes.Equal(e.octets[:whole], octets[:whole]) {
		return false
	}
	return rest == 0 || (e.octets[whole]^octets[whole])>>(8-rest) == 0
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
