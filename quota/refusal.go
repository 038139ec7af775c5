package quota

import (
	"fmt"
	"time"
)

// Reason is why a request was refused.
type Reason uint8

// The reasons.
const (
	// TooFast: the token has sent its requests of the window.
	TooFast Reason = iota
	// Crowded: the account has its share of the queue already, or there are
	// more callers than the Room can tell apart.
	Crowded
	// Late: no trace could be begun within Limits.Wait.
	Late
	// Closing: the Room is being drained.
	Closing
	Reasons // how many there are
)

var reasonNames = [Reasons]string{TooFast: "rate", Crowded: "queue", Late: "wait", Closing: "shutdown"}

// String returns one word.
func (r Reason) String() string {
	if r < Reasons {
		return reasonNames[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Refusal is the error of a request that is not admitted.
type Refusal struct {
	Reason Reason
	// RetryAfter is when the same request would be admitted, as far as that is
	// known; else 0.
	RetryAfter time.Duration
}

// Error says why.
func (r *Refusal) Error() string {
	return "quota: " + [...]string{
		TooFast: "too many requests",
		Crowded: "too many requests wait already",
		Late:    "waited too long for other traces to end",
		Closing: "shutting down",
	}[r.Reason]
}
