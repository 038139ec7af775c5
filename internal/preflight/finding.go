package preflight

import (
	"fmt"
	"io"
)

// State is how a Finding turned out.
type State string

// The states, from best to worst. With a Warning the agent works, but less
// well or not for everything; with something Missing it does not.
const (
	OK      State = "ok"
	Warning State = "warning"
	Missing State = "missing"
)

// Finding is what is known of one thing that the agent needs.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Detail string `json:"detail"`           // what was found
	Advice string `json:"advice,omitempty"` // what to do; empty when all is well
}

// Complete reports whether nothing is missing.
func Complete(findings []Finding) bool {
	for _, f := range findings {
		if f.State == Missing {
			return false
		}
	}
	return true
}

// Write writes the findings for people, each with its advice below it.
func Write(w io.Writer, findings []Finding) error {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	for _, f := range findings {
		if _, err := fmt.Fprintf(w, "%-7s  %-*s  %s\n", f.State, width, f.Name, f.Detail); err != nil {
			return err
		}
		if f.Advice == "" {
			continue
		}
		if _, err := fmt.Fprintf(w, "%-7s  %-*s  → %s\n", "", width, "", f.Advice); err != nil {
			return err
		}
	}
	return nil
}
