package prober

import (
	"testing"

	"pgregory.net/rapid"

	"probe-agent/prober/mono"
)

// TestSchedule holds the queue against a plain list.
func TestSchedule(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newSchedule(1)
		traces := make([]trace, 12)
		wakes := map[*trace]mono.Instant{}
		var fifo []*trace
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				tr := &traces[rapid.IntRange(0, len(traces)-1).Draw(t, "trace")]
				if tr.queued != ready {
					fifo = append(fifo, tr)
				}
				delete(wakes, tr)
				q.push(tr)
			},
			"sleep": func(t *rapid.T) {
				tr := &traces[rapid.IntRange(0, len(traces)-1).Draw(t, "trace")]
				if tr.queued == ready {
					t.Skip()
				}
				wake := mono.Instant(rapid.IntRange(1, 20).Draw(t, "wake"))
				q.sleep(tr, wake)
				wakes[tr] = wake
			},
			"forget": func(t *rapid.T) {
				tr := &traces[rapid.IntRange(0, len(traces)-1).Draw(t, "trace")]
				q.forget(tr)
				delete(wakes, tr)
			},
			"pop": func(t *rapid.T) {
				var want *trace
				if len(fifo) > 0 {
					want, fifo = fifo[0], fifo[1:]
				}
				if got := q.pop(0); got != want {
					t.Fatalf("popped %p, want %p", got, want)
				}
			},
			"wake": func(t *rapid.T) {
				now := mono.Instant(rapid.IntRange(0, 20).Draw(t, "now"))
				r := &q.ready[0]
				before := r.Len()
				q.wakeDue(now)
				due := 0
				for tr, wake := range wakes {
					if wake <= now {
						due++
						delete(wakes, tr)
					}
				}
				if r.Len() != before+due {
					t.Fatalf("%d woke, want %d", r.Len()-before, due)
				}
				fifo = fifo[:before]
				for i := before; i < r.Len(); i++ {
					fifo = append(fifo, r.At(i))
				}
			},
			"": func(t *rapid.T) {
				next := mono.Forever
				for _, wake := range wakes {
					next = min(next, wake)
				}
				if got := q.nextWake(); got != next {
					t.Fatalf("next wake %d, want %d", got, next)
				}
			},
		})
	})
}
