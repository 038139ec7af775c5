package traceroute

import "fmt"

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

// ParseFailureCode is the inverse of String.
func ParseFailureCode(name string) (FailureCode, error) {
	return parseName[FailureCode](failureNames, "failure", name)
}

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
