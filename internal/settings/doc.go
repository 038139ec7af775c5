// Package settings is the table of what can be set: flags, environment variables
// and the YAML file of `serve`, and the flags that other commands share with it.
//
// A setting is one field of [Serve] or of a struct that it embeds. Everything
// else is derived from the field: its flag, its variable, its key in the file,
// how its value is checked (by its type), whether a reload puts it in use, whether
// it protects, and its text in the help, the manual page, the README and
// deploy/probe-agent.example.yaml. These are the tags:
//
//	help         what it is, in the help, the README and the example
//	more         sentences that only the example has
//	default      its default
//	placeholder  its value in the help; FILE for the name of a file
//	example      its value in the example, where it has no default
//	sep          what separates the values of a list
//	reload       a reload puts it in use; see the parts of package agent
//	protects     what a weaker value of it is, or "no"; see [Protects]
//	command-line it is not a key of the file
//	type         "nonempty" if an empty value is an error
//
// After a change of the table run `go generate ./internal/settings`.
package settings

//go:generate go run ./generate
