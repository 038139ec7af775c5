package prober

// ring is a queue that grows as needed. The zero value is empty.
type ring[T any] struct {
	entries []T // from head, count of them
	head    int
	count   int
}

func (r *ring[T]) len() int { return r.count }

func (r *ring[T]) push(v T) {
	if r.count == len(r.entries) {
		r.grow()
	}
	r.entries[(r.head+r.count)%len(r.entries)] = v
	r.count++
}

func (r *ring[T]) grow() {
	bigger := make([]T, max(16, 2*len(r.entries)))
	for i := range r.count {
		bigger[i] = r.entries[(r.head+i)%len(r.entries)]
	}
	r.entries, r.head = bigger, 0
}

// pop returns the zero value when the ring is empty.
func (r *ring[T]) pop() T {
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
