package netsim

import (
	"embed"
	"io/fs"
	"path"
	"strings"
)

//go:embed scenarios
var scenarioFiles embed.FS

// knownFolder holds scenarios that the agent does not meet yet.
const knownFolder = "known"

// Scenarios returns the scenario files of this package, for every package's
// tests: a folder for each condition, with files to be read by Load.
func Scenarios() fs.FS {
	files, err := fs.Sub(scenarioFiles, "scenarios")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return files
}

// Files lists the scenario files of fsys, as paths like loss/random.yaml in
// lexical order, but for those in its folder known: they hold expectations
// that are right and not met.
func Files(fsys fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && file == knownFolder:
			return fs.SkipDir
		case path.Ext(file) == ".yaml":
			files = append(files, file)
		}
		return nil
	})
	return files, err
}

// Condition returns what a scenario file is about, its folder: loss of
// loss/random.yaml.
func Condition(file string) string {
	condition, _, _ := strings.Cut(file, "/")
	return condition
}
