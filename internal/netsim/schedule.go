package netsim

import (
	"container/heap"
	"time"
)

// schedule holds packets until they are due: earliest first, in the order
// they came in when due at once. The zero value is empty.
type schedule struct {
	items pending
	count uint64
}

type scheduled struct {
	due   time.Duration
	order uint64
	bytes []byte
}

func (s *schedule) add(due time.Duration, packet []byte) {
	s.count++
	heap.Push(&s.items, scheduled{due: due, order: s.count, bytes: packet})
}

// next returns when the first packet is due; false when there is none.
func (s *schedule) next() (time.Duration, bool) {
	if len(s.items) == 0 {
		return 0, false
	}
	return s.items[0].due, true
}

// take removes the first packet if it is due by now.
func (s *schedule) take(now time.Duration) ([]byte, bool) {
	if len(s.items) == 0 || s.items[0].due > now {
		return nil, false
	}
	return heap.Pop(&s.items).(scheduled).bytes, true
}

// pending implements heap.Interface.
type pending []scheduled

func (p pending) Len() int      { return len(p) }
func (p pending) Swap(i, j int) { p[i], p[j] = p[j], p[i] }
func (p pending) Less(i, j int) bool {
	if p[i].due != p[j].due {
		return p[i].due < p[j].due
	}
	return p[i].order < p[j].order
}

func (p *pending) Push(x any) { *p = append(*p, x.(scheduled)) }

func (p *pending) Pop() any {
	last := len(*p) - 1
	x := (*p)[last]
	(*p)[last] = scheduled{}
	*p = (*p)[:last]
	return x
}
