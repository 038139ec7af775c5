package prober

// ring is a queue of traces that grows as needed. The zero value is empty.
type ring struct {
	traces []*trace // from head, count entries
	head   int
	count  int
}

func (r *ring) push(t *trace) {
	if r.count == len(r.traces) {
		r.grow()
	}
	r.traces[(r.head+r.count)%len(r.traces)] = t
	r.count++
}

func (r *ring) grow() {
	bigger := make([]*trace, max(16, 2*len(r.traces)))
	for i := range r.count {
		bigger[i] = r.traces[(r.head+i)%len(r.traces)]
	}
	r.traces, r.head = bigger, 0
}

// pop returns nil when the ring is empty.
func (r *ring) pop() *trace {
	if r.count == 0 {
		return nil
	}
	t := r.traces[r.head]
	r.traces[r.head] = nil
	r.head = (r.head + 1) % len(r.traces)
	r.count--
	return t
}
