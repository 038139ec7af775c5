package report

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

// The marks between which a document holds the last run.
const (
	begin = "<!-- bench: begin -->"
	end   = "<!-- bench: end -->"
)

// ErrNoPlace is returned when a document has no place for a run.
var ErrNoPlace = errors.New("report: no place between " + begin + " and " + end)

// Place puts a text between the marks of a document, in the place of what is
// there.
func Place(document, text []byte) ([]byte, error) {
	before, rest, found := bytes.Cut(document, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !found || !closed {
		return nil, ErrNoPlace
	}
	return bytes.Join([][]byte{before, []byte(begin + "\n\n"), bytes.TrimSpace(text), []byte("\n\n" + end), after}, nil), nil
}

// PlaceIn does so in a file.
func PlaceIn(path string, text []byte) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if document, err = Place(document, text); err != nil {
		return fmt.Errorf("%w (%s)", err, path)
	}
	if err := os.WriteFile(path, document, 0o644); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
