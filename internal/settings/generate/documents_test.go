package main

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The documents in the repository are those that the table makes.
func TestDocumentsAreCurrent(t *testing.T) {
	documents, err := documents("../../..")
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range documents {
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not current: run go generate ./internal/settings (-want +got):\n%s", path, diff)
		}
	}
}
