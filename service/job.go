package service

import (
	"fmt"
	"strings"

	"probe-agent/lookup"
	"probe-agent/traceroute"
)

// MaxTargets is how many targets one request may have.
const MaxTargets = 10

// Request is what a caller asks for.
type Request struct {
	Targets []string        // 1 to MaxTargets host names or addresses
	Colos   []string        // names of colos, or what they have in front of their final digits; none: all
	Spec    traceroute.Spec // how to trace; its Target is ignored
	Live    bool            // hops are to be reported while traces run
}

// Job is a Request that has been checked, and what it selects. Only
// Service.Check makes one. It never changes.
type Job struct {
	targets []string
	colos   []*member
	spec    traceroute.Spec
	live    bool
}

// Trace is one target as traced by one colo.
type Trace struct {
	Target string // as given
	Colo   traceroute.Colo
}

// Traces returns the traces of the job, by target, then colo, in the order
// requested.
func (j *Job) Traces() []Trace {
	traces := make([]Trace, 0, len(j.targets)*len(j.colos))
	for _, target := range j.targets {
		for _, m := range j.colos {
			traces = append(traces, Trace{Target: target, Colo: m.info})
		}
	}
	return traces
}

// InvalidError is the error of a Request that cannot be a Job.
type InvalidError struct {
	Problems []Problem // at least one; targets first, then colos, then options
}

// Problem is one thing that is wrong with a Request.
type Problem struct {
	Pointer string // to the part of the request (RFC 6901): /targets/0
	Kind    ProblemKind
	Message string // a sentence
}

// ProblemKind is the part of a Request that a Problem is about.
type ProblemKind uint8

// The kinds.
const (
	InvalidTarget ProblemKind = iota + 1
	InvalidColo
	InvalidOption
)

// Error lists the problems with their pointers.
func (e *InvalidError) Error() string {
	var all strings.Builder
	all.WriteString("service: invalid request")
	for i, p := range e.Problems {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		all.WriteString(separator + p.Pointer + ": " + p.Message)
	}
	return all.String()
}

// Check checks all of a request, with the colos that take part now. The error is
// an *InvalidError that names every problem.
func (s *Service) Check(request Request) (*Job, error) {
	problems := checkTargets(request.Targets)
	colos, invalid := s.roster.choose(request.Colos)
	problems = append(problems, invalid...)
	spec, err := request.Spec.WithDefaults()
	if err != nil {
		problems = append(problems, Problem{Pointer: "/options", Kind: InvalidOption, Message: strings.TrimPrefix(err.Error(), "traceroute: ")})
	}
	if problems != nil {
		return nil, &InvalidError{Problems: problems}
	}
	return &Job{targets: append([]string(nil), request.Targets...), colos: colos, spec: spec, live: request.Live}, nil
}

func checkTargets(targets []string) []Problem {
	if n := len(targets); n == 0 || n > MaxTargets {
		message := fmt.Sprintf("targets must hold 1 to %d host names or addresses", MaxTargets)
		if n > 0 {
			message = fmt.Sprintf("targets must hold at most %d host names or addresses, not %d", MaxTargets, n)
		}
		return []Problem{{Pointer: "/targets", Kind: InvalidTarget, Message: message}}
	}
	var problems []Problem
	for i, target := range targets {
		if err := lookup.CheckTarget(target); err != nil {
			problems = append(problems, Problem{Pointer: fmt.Sprintf("/targets/%d", i), Kind: InvalidTarget, Message: fmt.Sprintf("targets[%d] %v", i, err)})
		}
	}
	return problems
}
