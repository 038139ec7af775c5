package prober

// queueState says where a trace waits for the sender.
type queueState uint8

const (
	idle     queueState = iota // nowhere: only a reply moves it
	ready                      // has, or may have, a probe to send
	sleeping                   // wants to be asked again at trace.wake
)

// schedule holds the traces under way: those that are ready, first come first
// served and one probe at a time, so that consecutive packets belong to
// different traces; and those that sleep, by the time of their waking.
type schedule struct {
	ready    []*trace // a ring: from head, count entries
	head     int
	count    int
	sleepers []*trace // a binary heap by wake
}

// push makes t ready, wherever it was.
func (q *schedule) push(t *trace) {
	switch t.queued {
	case ready:
		return
	case sleeping:
		q.remove(t)
	}
	if q.count == len(q.ready) {
		q.grow()
	}
	q.ready[(q.head+q.count)%len(q.ready)] = t
	q.count++
	t.queued = ready
}

func (q *schedule) grow() {
	bigger := make([]*trace, max(16, 2*len(q.ready)))
	for i := range q.count {
		bigger[i] = q.ready[(q.head+i)%len(q.ready)]
	}
	q.ready, q.head = bigger, 0
}

// pop returns the trace that has been ready longest, nil when none is.
func (q *schedule) pop() *trace {
	if q.count == 0 {
		return nil
	}
	t := q.ready[q.head]
	q.ready[q.head] = nil
	q.head = (q.head + 1) % len(q.ready)
	q.count--
	t.queued = idle
	return t
}

// sleep puts t to sleep until wake. forever leaves it to its replies.
func (q *schedule) sleep(t *trace, wake instant) {
	if t.queued == sleeping {
		q.remove(t)
	}
	if wake == forever {
		return
	}
	t.wake, t.queued, t.heapAt = wake, sleeping, len(q.sleepers)
	q.sleepers = append(q.sleepers, t)
	q.up(t.heapAt)
}

// wakeDue makes every trace ready whose time has come.
func (q *schedule) wakeDue(now instant) {
	for len(q.sleepers) > 0 && q.sleepers[0].wake <= now {
		q.push(q.sleepers[0])
	}
}

// nextWake returns when the first sleeper wakes, or forever.
func (q *schedule) nextWake() instant {
	if len(q.sleepers) == 0 {
		return forever
	}
	return q.sleepers[0].wake
}

// forget takes t out. A ready one stays in the ring until it is popped; the
// sender passes over finished traces.
func (q *schedule) forget(t *trace) {
	if t.queued == sleeping {
		q.remove(t)
	}
}

func (q *schedule) remove(t *trace) {
	last := len(q.sleepers) - 1
	i := t.heapAt
	q.swap(i, last)
	q.sleepers[last] = nil
	q.sleepers = q.sleepers[:last]
	if i < last {
		q.down(i)
		q.up(i)
	}
	t.queued = idle
}

func (q *schedule) swap(i, j int) {
	q.sleepers[i], q.sleepers[j] = q.sleepers[j], q.sleepers[i]
	q.sleepers[i].heapAt, q.sleepers[j].heapAt = i, j
}

func (q *schedule) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if q.sleepers[parent].wake <= q.sleepers[i].wake {
			return
		}
		q.swap(i, parent)
		i = parent
	}
}

func (q *schedule) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(q.sleepers) {
			return
		}
		if right := child + 1; right < len(q.sleepers) && q.sleepers[right].wake < q.sleepers[child].wake {
			child = right
		}
		if q.sleepers[i].wake <= q.sleepers[child].wake {
			return
		}
		q.swap(i, child)
		i = child
	}
}
