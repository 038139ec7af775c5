package policy

import (
	"bytes"
	"net/netip"
	"slices"
)

// setBuilder makes a Set, which shares with another one the runs that are the
// same in both: reading an unchanged list again takes no second copy of it.
type setBuilder struct {
	four, six runBuilder
	added     int
}

// newSetBuilder returns a builder of a Set that shares runs with like, which may
// be nil.
func newSetBuilder(like *Set) *setBuilder {
	b := new(setBuilder)
	if like != nil {
		b.four.like, b.six.like = like.four, like.six
	}
	return b
}

func (b *setBuilder) add(prefix netip.Prefix) {
	b.added++
	if prefix.Addr().Is4() {
		b.four.add(prefix)
	} else {
		b.six.add(prefix)
	}
}

func (b *setBuilder) build() *Set {
	return &Set{four: b.four.build(), six: b.six.build(), read: b.added}
}

type runBuilder struct {
	done, like runs
	open       []entry // what will be the next run, in the order of adding
}

// entry is a prefix: the first octets, 0 behind its length, and the length in
// bits.
type entry struct {
	octets [16]byte
	bits   uint8
}

func (b *runBuilder) add(prefix netip.Prefix) {
	if len(b.open) == runLength {
		b.seal()
	}
	b.open = append(b.open, entry{octetsOf(prefix.Addr()), uint8(prefix.Bits())})
}

func (b *runBuilder) build() runs {
	if len(b.open) > 0 {
		b.seal()
	}
	return b.done
}

// seal sorts what is open, removes what other prefixes of it contain, and makes
// a run of the rest. If like has the same run in the same place, that is used
// instead.
func (b *runBuilder) seal() {
	slices.SortFunc(b.open, func(x, y entry) int {
		if order := bytes.Compare(x.octets[:], y.octets[:]); order != 0 {
			return order
		}
		return int(x.bits) - int(y.bits)
	})
	kept := b.open[:0]
	for _, e := range b.open {
		if n := len(kept); n == 0 || !covers(kept[n-1].octets[:], kept[n-1].bits, &e.octets) {
			kept = append(kept, e)
		}
	}
	if n := len(b.done); n < len(b.like) && b.like[n].holds(kept) {
		b.done = append(b.done, b.like[n])
	} else {
		b.done = append(b.done, newRun(kept))
	}
	b.open = kept[:0]
}

// holds reports whether r is the run of entries.
func (r run) holds(entries []entry) bool {
	if r.len() != len(entries) {
		return false
	}
	for i := range entries {
		octets, bits := r.row(i)
		if bits != entries[i].bits || !bytes.Equal(octets, entries[i].octets[:r.width]) {
			return false
		}
	}
	return true
}
