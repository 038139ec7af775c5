package quota

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Visit is a request in a Room. A nil Visit is one that nothing limits: all its
// methods return at once.
type Visit struct {
	room    *Room
	account *account
	token   *token
	settled chan struct{} // closed when the first trace is granted or the request dismissed
	slots   chan struct{} // traces granted and not begun

	// Guarded by the room's mu.
	want   int // traces not granted
	held   int // traces granted that have not ended
	begun  bool
	left   bool
	turned *Refusal // why it was dismissed
}

// Await asks for a number of traces, at least one, and returns when the first
// of them may begin. It is to be called once. The error is a *Refusal, or wraps
// ctx's when ctx ended first; nothing may be begun then.
func (v *Visit) Await(ctx context.Context, traces int) error {
	if v == nil {
		return nil
	}
	r := v.room
	r.mu.Lock()
	v.want, v.slots = traces, make(chan struct{}, traces)
	v.account.queue = append(v.account.queue, v)
	r.grant()
	begun, longest := v.begun, r.limits.Wait
	r.mu.Unlock()
	if begun {
		return nil
	}
	asked := time.Now()
	timer := time.NewTimer(longest)
	defer timer.Stop()
	var why error
	select {
	case <-v.settled:
	case <-timer.C:
	case <-ctx.Done():
		why = fmt.Errorf("quota: request abandoned: %w", ctx.Err())
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tally.waits++
	r.tally.waited += time.Since(asked)
	switch {
	case why != nil:
		v.giveUp()
		r.grant()
		return why
	case v.turned != nil:
		return v.turned
	case !v.begun:
		v.giveUp()
		return r.refuse(v.account.name, Late, 0)
	}
	return nil
}

// Begin returns when one more of the traces asked for may begin. Each is to be
// ended. The error wraps ctx's.
func (v *Visit) Begin(ctx context.Context) error {
	if v == nil {
		return nil
	}
	select {
	case <-v.slots:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("quota: trace not begun: %w", ctx.Err())
	}
}

// End gives back what Begin got.
func (v *Visit) End() {
	if v == nil {
		return
	}
	v.room.mu.Lock()
	defer v.room.mu.Unlock()
	if !v.left {
		v.release(1)
		v.room.grant()
	}
}

// Leave ends the visit, with all that it holds and waits for. Further calls do
// nothing.
func (v *Visit) Leave() {
	if v == nil {
		return
	}
	r := v.room
	r.mu.Lock()
	defer r.mu.Unlock()
	if v.left {
		return
	}
	v.giveUp()
	v.left = true
	r.inside--
	v.account.inside--
	v.token.inside--
	r.forgetAccount(v.account)
	r.closeIfEmpty()
	r.grant()
}

// giveUp takes the request out of the queue, with its place and its traces. The
// caller holds the room's mu.
func (v *Visit) giveUp() {
	if v.want > 0 {
		v.want = 0
		v.account.queue = slices.DeleteFunc(v.account.queue, func(other *Visit) bool { return other == v })
	}
	v.release(v.held)
	v.vacate()
}

// vacate gives back the place of a request that has not begun. It cannot begin
// any more, or just did.
func (v *Visit) vacate() {
	if !v.begun {
		v.begun = true
		v.room.places--
		v.account.places--
	}
}

// release gives back traces.
func (v *Visit) release(traces int) {
	v.held -= traces
	v.account.running -= traces
	v.token.running -= traces
	v.room.running -= traces
}

// dismiss sends away a request that waits. The caller holds the room's mu.
func (v *Visit) dismiss(why *Refusal) {
	v.turned = why
	v.giveUp()
	close(v.settled)
}

// grant hands out the traces that may begin, one at a time: each goes to the
// account that has fewest under way, and among those to the one that has waited
// longest for one, also when it was away meanwhile. So two accounts that both want more than there is have equal
// shares, however many requests, connections or tokens they ask with, and
// however long their traces take; and whoever comes in is served as soon as
// anything ends. The caller holds mu.
func (r *Room) grant() {
	for r.limits.Traces == 0 || r.running < r.limits.Traces {
		var next *Visit
		for _, a := range r.accounts {
			if next != nil && !a.before(next.account) {
				continue
			}
			if v := r.first(a); v != nil {
				next = v
			}
		}
		if next == nil {
			return
		}
		r.granted++
		next.account.record.last = r.granted
		next.accept()
	}
}

// before reports whether a is to be served before b.
func (a *account) before(b *account) bool {
	if a.running != b.running {
		return a.running < b.running
	}
	if a.record.last != b.record.last {
		return a.record.last < b.record.last
	}
	return a.name < b.name
}

// first returns the account's first request whose token may have a trace more,
// nil when there is none.
func (r *Room) first(a *account) *Visit {
	for _, v := range a.queue {
		if r.limits.TracesPerToken == 0 || v.token.running < r.limits.TracesPerToken {
			return v
		}
	}
	return nil
}

// accept gives the request one trace.
func (v *Visit) accept() {
	v.want--
	v.release(-1)
	v.slots <- struct{}{} // has room for all that it wants
	v.account.record.Traces++
	if v.want == 0 {
		v.account.queue = slices.DeleteFunc(v.account.queue, func(other *Visit) bool { return other == v })
	}
	if !v.begun {
		v.vacate()
		close(v.settled)
	}
}
