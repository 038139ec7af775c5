// Package ring has a queue that grows as needed and allocates nothing once it
// has grown.
package ring

// Ring is a first-in, first-out queue. The zero value is empty. Not safe for
// concurrent use.
type Ring[T any] struct {
	entries []T // from head, count of them
	head    int
	count   int
}

// Of returns a ring that holds the entries, and owns the slice.
func Of[T any](entries []T) Ring[T] { return Ring[T]{entries: entries, count: len(entries)} }

// Len returns the number of entries.
func (r *Ring[T]) Len() int { return r.count }

// Push appends an entry.
func (r *Ring[T]) Push(v T) {
	if r.count == len(r.entries) {
		r.grow()
	}
	r.entries[(r.head+r.count)%len(r.entries)] = v
	r.count++
}

func (r *Ring[T]) grow() {
	bigger := make([]T, max(16, 2*len(r.entries)))
	for i := range r.count {
		bigger[i] = r.At(i)
	}
	r.entries, r.head = bigger, 0
}

// At returns an entry, 0 being the next to be popped.
func (r *Ring[T]) At(i int) T { return r.entries[(r.head+i)%len(r.entries)] }

// Pop removes the first entry and returns it, the zero value when there is
// none.
func (r *Ring[T]) Pop() T {
	var zero T
	if r.count == 0 {
		return zero
	}
	v := r.entries[r.head]
	r.entries[r.head] = zero
	r.head = (r.head + 1) % len(r.entries)
	r.count--
	return v
}
