// Package panics turns panics into errors, so that they travel between
// goroutines as other errors do.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Error is a panic.
type Error struct {
	Value any    // what panic was called with
	Stack []byte // of the goroutine that panicked, as runtime/debug.Stack formats it
}

// Error returns the value, without the stack.
func (e *Error) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value if it is an error.
func (e *Error) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Catch sets *err to an *Error when the function that defers it panics:
//
//	defer panics.Catch(&err)
//
// The panic ends there. A value that is an *Error already keeps its stack.
func Catch(err *error) {
	switch v := recover().(type) {
	case nil:
	case *Error:
		*err = v
	default:
		*err = &Error{Value: v, Stack: debug.Stack()}
	}
}
