package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"probe-agent/internal/usage"
)

type manCommand struct{}

// Help is the long description.
func (*manCommand) Help() string {
	return "The page is in the form of man(7), made of the same texts as the help: probe-agent man | man -l -"
}

// Run prints the page.
func (*manCommand) Run(t terminal, parsed *kong.Context) error {
	_, err := fmt.Fprint(t.out, usage.ManPage(parsed.Model.Node, version))
	return err
}
