package netsim

import (
	"embed"
	"io/fs"
)

//go:embed scenarios/*.yaml
var scenarioFiles embed.FS

// Scenarios returns the scenario files of this package, for every package's
// tests: names like chain.yaml, to be read by Load.
func Scenarios() fs.FS {
	files, err := fs.Sub(scenarioFiles, "scenarios")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return files
}
