package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// Colo is a place that can trace: this agent, or another one.
type Colo interface {
	// Name is the short name that requests select by, like den01.
	Name() string
	// City is the place in words, like "Denver, CO, US".
	City() string
	// Trace traces target as spec says; Spec.Target is Trace's to fill in. It
	// returns soon after ctx ends. An error that is a *Failure says what the
	// client is told; any other means Unsent, or TimedOut when ctx has ended.
	// Safe for concurrent use.
	Trace(ctx context.Context, target string, spec Spec) (*traceroute.Result, error)
}

// Spec is what a Colo is asked for.
type Spec struct {
	traceroute.Spec
	Progress func(*traceroute.Result) // gets the result so far; may be nil
	Heard    func(netip.Addr, uint8)  // gets each responder; may be nil
}

// FailureCode is the number in a colo's error, and 1000 less than the code of
// the message that explains it.
type FailureCode int

// Why a colo has no trace of a target.
const (
	Unresolved FailureCode = iota + 1 // the target's name does not resolve
	TimedOut                          // the colo did not answer in time or is offline
	Forbidden                         // the colo's policy refuses the target
	Unsent                            // the colo could not send
)

// String returns the name that the native API has for the code.
func (c FailureCode) String() string {
	names := [...]string{Unresolved: "unresolved", TimedOut: "timed-out", Forbidden: "forbidden", Unsent: "unsent"}
	if c >= Unresolved && int(c) < len(names) {
		return names[c]
	}
	return fmt.Sprintf("code-%d", int(c))
}

// Failure is the error of a Colo that could not trace.
type Failure struct {
	Code   FailureCode
	Reason string // for the client, in words: "no such host"
	Err    error  // what caused it; may be nil
}

// Error gives the reason and the cause.
func (f *Failure) Error() string {
	if f.Err == nil {
		return "api: " + f.Reason
	}
	return fmt.Sprintf("api: %s: %v", f.Reason, f.Err)
}

// Unwrap returns the cause.
func (f *Failure) Unwrap() error { return f.Err }

// failureOf makes the error of a Colo a Failure.
func failureOf(ctx context.Context, err error) *Failure {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if ctx.Err() != nil {
		return outOfTime(ctx, err)
	}
	return &Failure{Code: Unsent, Reason: "could not send", Err: err}
}

// outOfTime is the failure of a trace that the end of ctx has cut short.
func outOfTime(ctx context.Context, err error) *Failure {
	reason := "did not answer in time"
	if wasCut(ctx) {
		reason = "cut short: the agent is shutting down"
	}
	return &Failure{Code: TimedOut, Reason: reason, Err: err}
}

// CheckColoName returns nil for a name that a Colo may have: 1 to 32 ASCII
// letters, digits and hyphens, starting with a letter. It appears in HTTP headers.
func CheckColoName(name string) error {
	letter := func(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
	odd := func(r rune) bool { return !isAlphanumeric(r) && r != '-' }
	if name == "" || len(name) > 32 || !letter(name[0]) || strings.ContainsFunc(name, odd) {
		return fmt.Errorf("api: colo name %q must be 1 to 32 letters, digits and hyphens, starting with a letter", name)
	}
	return nil
}

// selectColos returns the colos that names select, each once, in the order
// asked; one name that selects several has them in the order configured. No
// names select all. A name selects the colo that has it, or those that have it
// in front of their final digits; case does not matter.
func selectColos(all []Colo, names []string, wrong *envelope.Problems) []Colo {
	if len(names) == 0 {
		return all
	}
	var chosen []Colo
	taken := make([]bool, len(all))
	for i, name := range names {
		found := false
		for j, colo := range all {
			full := colo.Name()
			if !strings.EqualFold(name, full) && !strings.EqualFold(name, strings.TrimRight(full, "0123456789")) {
				continue
			}
			found = true
			if !taken[j] {
				taken[j] = true
				chosen = append(chosen, colo)
			}
		}
		if !found {
			wrong.Add(envelope.CodeColo, fmt.Sprintf("/colos/%d", i), "Colo is not a valid colo")
		}
	}
	return chosen
}
