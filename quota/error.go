package quota

import (
	"fmt"
	"time"
)

// Reason is why a request was refused. Every refusal is an [Error] that matches
// its reason with errors.Is.
type Reason uint8

// The reasons.
const (
	// ErrRateLimited: the token has used up its requests of the window.
	ErrRateLimited Reason = iota
	// ErrQueueFull: the account has its share of the queue already, or there
	// are more callers than the Limiter can keep apart.
	ErrQueueFull
	// ErrQueueTimeout: no trace could begin within Limits.Wait.
	ErrQueueTimeout
	// ErrShuttingDown: the Limiter is being drained.
	ErrShuttingDown
	Reasons // number of reasons
)

var (
	reasonNames    = [Reasons]string{ErrRateLimited: "rate", ErrQueueFull: "queue", ErrQueueTimeout: "wait", ErrShuttingDown: "shutdown"}
	reasonMessages = [Reasons]string{
		ErrRateLimited:  "too many requests",
		ErrQueueFull:    "too many requests wait already",
		ErrQueueTimeout: "waited too long for other traces to end",
		ErrShuttingDown: "shutting down",
	}
)

// String returns one word, for metrics and logs.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Error returns the reason as a sentence.
func (r Reason) Error() string {
	if r < Reasons {
		return "quota: " + reasonMessages[r]
	}
	return "quota: " + r.String()
}

// Error is the error of a request that is not admitted.
type Error struct {
	Reason Reason
	// RetryAfter is when the same request would be admitted, as far as that is
	// known; else 0.
	RetryAfter time.Duration
}

// Error returns the reason as a sentence.
func (e *Error) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *Error) Unwrap() error { return e.Reason }
