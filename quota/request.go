package quota

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// request is an admitted request in the queue of its account.
type request struct {
	limiter *Limiter // nil: unlimited, and of the other fields only closed is set
	account *account
	token   *token
	settled chan struct{} // closed when the first trace is granted or the request refused
	closed  chan struct{} // closed when nothing may begin any more
	slots   chan struct{} // traces granted and not begun

	// Guarded by the limiter's mu.
	want    int // traces not granted
	held    int // traces granted that have not ended
	begun   bool
	over    bool // closed is closed
	left    bool
	refusal *Error
}

// wait implements Ticket.Wait.
func (q *request) wait(ctx context.Context, traces int) error {
	l := q.limiter
	l.mu.Lock()
	if q.over {
		l.mu.Unlock()
		return ErrClosed
	}
	q.want, q.slots = traces, make(chan struct{}, traces)
	q.account.queue = append(q.account.queue, q)
	l.grant()
	begun, longest := q.begun, l.limits.Wait
	l.mu.Unlock()
	if begun {
		return nil
	}
	started := time.Now()
	timer := time.NewTimer(longest)
	defer timer.Stop()
	var abandoned error
	select {
	case <-q.settled:
	case <-q.closed:
	case <-timer.C:
	case <-ctx.Done():
		abandoned = fmt.Errorf("quota: request abandoned: %w", ctx.Err())
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tally.waits++
	l.tally.waited += time.Since(started)
	switch {
	case abandoned != nil:
		q.giveUp()
		l.grant()
		return abandoned
	case q.refusal != nil:
		return q.refusal
	case q.over:
		return ErrClosed
	case !q.begun:
		q.giveUp()
		return l.refuse(q.account.name, ErrQueueTimeout, 0)
	}
	return nil
}

// end implements Ticket.End.
func (q *request) end() {
	q.limiter.mu.Lock()
	defer q.limiter.mu.Unlock()
	if !q.over {
		q.release(1)
		q.limiter.grant()
	}
}

// leave implements Ticket.Close.
func (q *request) leave() {
	l := q.limiter
	l.mu.Lock()
	defer l.mu.Unlock()
	if q.left {
		return
	}
	q.giveUp()
	q.left = true
	l.admitted--
	q.account.admitted--
	q.token.admitted--
	l.forgetAccount(q.account)
	l.closeIfIdle()
	l.grant()
}

// giveUp takes the request out of the queue and releases its traces. Nothing may
// begin afterwards. The caller holds the limiter's mu.
func (q *request) giveUp() {
	if q.over {
		return
	}
	q.over = true
	close(q.closed)
	if q.want > 0 {
		q.want = 0
		q.unqueue()
	}
	q.release(q.held)
	q.stopWaiting()
}

func (q *request) unqueue() {
	q.account.queue = slices.DeleteFunc(q.account.queue, func(other *request) bool { return other == q })
}

// stopWaiting frees the queue entry of a request that has just begun or never
// will.
func (q *request) stopWaiting() {
	if !q.begun {
		q.begun = true
		q.limiter.waiting--
		q.account.waiting--
	}
}

// release gives back traces.
func (q *request) release(traces int) {
	q.held -= traces
	q.account.running -= traces
	q.token.running -= traces
	q.limiter.running -= traces
}

// refuse ends a request that waits. The caller holds the limiter's mu.
func (q *request) refuse(refusal *Error) {
	q.refusal = refusal
	q.giveUp()
	close(q.settled)
}

// grant hands out the traces that may begin, one at a time: each goes to the
// account with the fewest under way, and among those to the one whose last
// grant is longest ago. So two accounts that both want more than there is have
// equal shares, however many requests, connections or tokens they use and
// however long their traces take; and a new account is served as soon as
// anything ends. The caller holds mu.
func (l *Limiter) grant() {
	for l.limits.Traces == 0 || l.running < l.limits.Traces {
		var next *request
		for _, a := range l.accounts {
			if next != nil && !a.before(next.account) {
				continue
			}
			if q := l.first(a); q != nil {
				next = q
			}
		}
		if next == nil {
			return
		}
		l.granted++
		next.account.record.last = l.granted
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

// first returns the account's first request whose token may have one more
// trace, nil when there is none.
func (l *Limiter) first(a *account) *request {
	for _, q := range a.queue {
		if l.limits.TracesPerToken == 0 || q.token.running < l.limits.TracesPerToken {
			return q
		}
	}
	return nil
}

// accept grants the request one trace.
func (q *request) accept() {
	q.want--
	q.release(-1)
	q.slots <- struct{}{} // never blocks: its capacity is all that was asked for
	q.account.record.Traces++
	if q.want == 0 {
		q.unqueue()
	}
	if !q.begun {
		q.stopWaiting()
		close(q.settled)
	}
}
