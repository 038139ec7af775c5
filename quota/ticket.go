package quota

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
)

// ErrClosed is the error of a Ticket that was closed or transferred.
var ErrClosed = errors.New("quota: ticket closed")

// Ticket is an admitted request, and the right to begin traces within the
// limits. It must be closed. Its methods are safe for concurrent use. Only
// [Limiter.Admit], [Unlimited] and [Ticket.Transfer] return one that can begin
// anything; the zero value is closed.
type Ticket struct {
	request atomic.Pointer[request] // nil: closed
}

func newTicket(q *request) *Ticket {
	t := new(Ticket)
	t.request.Store(q)
	return t
}

// Unlimited returns a Ticket that no limit applies to, for callers that answer
// to nobody else, such as a command line.
func Unlimited() *Ticket { return newTicket(&request{closed: make(chan struct{})}) }

// Wait asks for a number of traces, at least one, and returns when the first of
// them may begin. It is to be called once. The error is an *Error, ErrClosed, or
// wraps that of ctx when ctx ended first; nothing may begin after an error.
func (t *Ticket) Wait(ctx context.Context, traces int) error {
	q := t.request.Load()
	switch {
	case q == nil:
		return ErrClosed
	case q.limiter == nil:
		return nil
	}
	return q.wait(ctx, traces)
}

// Begin returns when one more of the traces asked for may begin. Each is to be
// ended. The error is ErrClosed, or wraps that of ctx.
func (t *Ticket) Begin(ctx context.Context) error {
	q := t.request.Load()
	switch {
	case q == nil || isClosed(q.closed):
		return ErrClosed
	case ctx.Err() != nil: // wins over a grant
		return notBegun(ctx)
	case q.limiter == nil:
		return nil
	}
	select {
	case <-q.slots:
		return nil
	case <-q.closed:
		return ErrClosed
	case <-ctx.Done():
		return notBegun(ctx)
	}
}

func notBegun(ctx context.Context) error {
	return fmt.Errorf("quota: trace not begun: %w", ctx.Err())
}

// TryBegin is Begin without waiting: it reports whether one more of the traces
// asked for may begin at once, and is to be ended.
func (t *Ticket) TryBegin() bool {
	q := t.request.Load()
	switch {
	case q == nil || isClosed(q.closed):
		return false
	case q.limiter == nil:
		return true
	}
	select {
	case <-q.slots:
		return true
	default:
		return false
	}
}

// End gives back what Begin or TryBegin got. It does nothing after Close, which
// has given it back already.
func (t *Ticket) End() {
	if q := t.request.Load(); q != nil && q.limiter != nil {
		q.end()
	}
}

// Transfer moves the request, with everything that it holds and waits for, to a
// new Ticket, and closes t. It is for a request whose traces go on when the
// caller that holds t has ended. Calls of t's methods that are under way
// continue, for the new Ticket. The new Ticket of a closed one is closed.
func (t *Ticket) Transfer() *Ticket { return newTicket(t.request.Swap(nil)) }

// Close ends the request and releases everything that it holds and waits for:
// calls of Begin return ErrClosed. Further calls do nothing.
func (t *Ticket) Close() {
	q := t.request.Swap(nil)
	switch {
	case q == nil:
	case q.limiter == nil:
		close(q.closed)
	default:
		q.leave()
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
