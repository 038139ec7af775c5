package panics

import (
	"errors"
	"io"
	"strings"
	"testing"
)

func call(value any) (err error) {
	defer Catch(&err)
	raise(value)
	return io.ErrUnexpectedEOF
}

//go:noinline
func raise(value any) {
	if value != nil {
		panic(value)
	}
}

func TestCatch(t *testing.T) {
	if err := call(nil); err != io.ErrUnexpectedEOF {
		t.Errorf("without a panic: %v", err)
	}
	err := call("broken")
	caught, ok := errors.AsType[*Error](err)
	if !ok || caught.Value != "broken" || err.Error() != "panic: broken" || errors.Unwrap(err) != nil {
		t.Fatalf("%#v", err)
	}
	if !strings.Contains(string(caught.Stack), "panics.raise") {
		t.Errorf("the stack is not that of the panic:\n%s", caught.Stack)
	}
	if err := call(io.EOF); !errors.Is(err, io.EOF) {
		t.Errorf("a panic with an error: %v", err)
	}
	if again := call(caught); again != error(caught) {
		t.Errorf("raised again: %#v", again)
	}
}
