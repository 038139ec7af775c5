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
	open       []entry // the run that grows, in the order of adding
}

func (b *runBuilder) add(prefix netip.Prefix) {
	if len(b.open) == runLength {
		b.seal()
		if b.open == nil {
			b.open = make([]entry, 0, runLength)
		}
	}
	b.open = append(b.open, entry{octetsOf(prefix.Addr()), uint8(prefix.Bits())})
}

func (b *runBuilder) build() runs {
	if len(b.open) > 0 {
		b.seal()
	}
	return b.done
}

// seal sorts the open run, removes what other prefixes of it contain, and
// begins another one. If like has the same run in the same place, that is used
// instead, and the memory of the open one again.
func (b *runBuilder) seal() {
	slices.SortFunc(b.open, func(x, y entry) int {
		if order := bytes.Compare(x.octets[:], y.octets[:]); order != 0 {
			return order
		}
		return int(x.bits) - int(y.bits)
	})
	kept := b.open[:0]
	for _, e := range b.open {
		if n := len(kept); n == 0 || !kept[n-1].contains(&e.octets) {
			kept = append(kept, e)
		}
	}
	if n := len(b.done); n < len(b.like) && slices.Equal(kept, b.like[n]) {
		b.done, b.open = append(b.done, b.like[n]), kept[:0]
		return
	}
	b.done, b.open = append(b.done, slices.Clip(kept)), nil
}
