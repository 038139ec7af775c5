package prober

import (
	"probe-agent/internal/ring"
	"probe-agent/prober/mono"
)

// queueState says where a trace waits for the sender.
type queueState uint8

const (
	idle     queueState = iota // nowhere: only a reply moves it
	ready                      // has, or may have, a probe to send
	sleeping                   // wants to be asked again at trace.wake
)

// schedule holds the traces under way: those that are ready, by tx queue, first
// come first served and one probe at a time, so that consecutive packets belong
// to different traces; and those that sleep, by the time of their waking.
type schedule struct {
	ready    []ring.Ring[*trace]
	sleepers []*trace // a binary heap by wake
}

func newSchedule(queues int) schedule { return schedule{ready: make([]ring.Ring[*trace], queues)} }

// push makes t ready, wherever it was.
func (q *schedule) push(t *trace) {
	switch t.queued {
	case ready:
		return
	case sleeping:
		q.remove(t)
	}
	q.ready[t.txQueue].Push(t)
	t.queued = ready
}

// pop returns the trace of the tx queue that has been ready longest, nil when none
// is.
func (q *schedule) pop(queue int) *trace {
	t := q.ready[queue].Pop()
	if t != nil {
		t.queued = idle
	}
	return t
}

// sleep puts t to sleep until wake. mono.Forever leaves it to its replies.
func (q *schedule) sleep(t *trace, wake mono.Instant) {
	if t.queued == sleeping {
		q.remove(t)
	}
	if wake == mono.Forever {
		return
	}
	t.wake, t.queued, t.heapAt = wake, sleeping, len(q.sleepers)
	q.sleepers = append(q.sleepers, t)
	q.up(t.heapAt)
}

// wakeDue makes every trace ready whose time has come.
func (q *schedule) wakeDue(now mono.Instant) {
	for len(q.sleepers) > 0 && q.sleepers[0].wake <= now {
		q.push(q.sleepers[0])
	}
}

// nextWake returns when the first sleeper wakes, or mono.Forever.
func (q *schedule) nextWake() mono.Instant {
	if len(q.sleepers) == 0 {
		return mono.Forever
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
