package traceroute

import (
	"errors"
	"fmt"
)

// FailureCode is why a colo has no trace of a target: the number in its error
// of the compatible API.
type FailureCode uint8

// The codes.
const (
	Unresolved FailureCode = iota + 1 // the target's name does not resolve
	TimedOut                          // the colo did not answer in time or is offline
	Forbidden                         // the colo's policy refuses the target
	Unsent                            // the colo could not send
)

var failureNames = []string{Unresolved: "unresolved", TimedOut: "timed-out", Forbidden: "forbidden", Unsent: "unsent"}

// String returns the name that the native API has for the code.
func (c FailureCode) String() string { return nameOf(failureNames, "code", c) }

// Failure is why there is no Result.
type Failure struct {
	Code   FailureCode
	Reason string // for the client, in words: "no such host"
	Err    error  // its cause, for the log; may be nil; not part of the JSON form
}

// Error returns the reason and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return f.Reason
	}
	return fmt.Sprintf("%s: %v", f.Reason, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// FailureOf returns what a trace has failed with that ended with err: err itself
// if it is a *Failure. With a cause that its context ended for, it has the code
// and reason of that, if that is a *Failure, or is TimedOut; without one, the
// trace was Unsent. Both may be nil.
func FailureOf(err, cause error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if cause == nil {
		return &Failure{Code: Unsent, Reason: "could not send", Err: err}
	}
	f := &Failure{Code: TimedOut, Reason: "did not answer in time", Err: err}
	if ended, ok := errors.AsType[*Failure](cause); ok {
		f.Code, f.Reason = ended.Code, ended.Reason
	}
	return f
}
