// Command generate writes what is made of the table of settings: the example of
// the configuration file, and the table in the README. It is run by go generate
// in the folder of package settings.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := write("../.."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// write writes the documents below root, the root of the repository.
func write(root string) error {
	documents, err := documents(root)
	if err != nil {
		return err
	}
	for path, text := range documents {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil { //nolint:gosec // documents are for everybody
			return err
		}
	}
	return nil
}
