package config_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"probe-agent/internal/config"
)

func outlineOf(t *testing.T, text string) *config.Outline {
	t.Helper()
	o := new(config.Outline)
	// Byte by byte: lines come in pieces.
	if _, err := io.Copy(o, iotest.OneByteReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	return o
}

// Of all ways to cut a file off, those within a line show by themselves, and
// those between two lines by comparison with the file before.
func TestOutlineFindsEveryCut(t *testing.T) {
	const whole = "rate: 5\n\ndeny:\n  - 192.0.2.1\n  - 192.0.2.2\n"
	before := outlineOf(t, whole)
	for length := range len(whole) {
		cut := outlineOf(t, whole[:length])
		if cut.Check("file") == nil && !cut.Truncates(before) {
			t.Errorf("%q is not recognised", whole[:length])
		}
	}
	// The same in a file of more lines than one chunk of checksums has.
	const chunk = 1 << 14
	long := strings.Repeat("10.0.0.0/8\n", 3*chunk)
	longBefore := outlineOf(t, long)
	for _, lines := range []int{1, chunk - 1, chunk, chunk + 1, 2 * chunk, 3*chunk - 1, 3 * chunk} {
		cut := outlineOf(t, long[:lines*len("10.0.0.0/8\n")])
		if got, want := cut.Truncates(longBefore), lines < 3*chunk; got != want {
			t.Errorf("%d of %d lines: %t, want %t", lines, 3*chunk, got, want)
		}
	}
	for _, text := range []string{
		whole,
		whole + "# more\n",
		"rate: 5\n\ndeny:\n  - 192.0.2.1\n# all\n",
		"rate: 6\n\ndeny:\n  - 192.0.2.1\n",
		"deny:\n  - 192.0.2.1\n",
	} {
		if o := outlineOf(t, text); o.Check("file") != nil || o.Truncates(before) {
			t.Errorf("%q is taken for a part of %q", text, whole)
		}
	}
}
