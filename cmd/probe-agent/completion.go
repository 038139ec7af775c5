package main

import (
	"fmt"

	"github.com/alecthomas/kong"

	"probe-agent/internal/usage"
)

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is the long description.
func (*completionCommand) Help() string {
	return "Prints a script for the shell to read:\n\n" +
		"bash: source <(probe-agent completion bash)\n\n" +
		"zsh: probe-agent completion zsh > \"${fpath[1]}/_probe-agent\"\n\n" +
		"fish: probe-agent completion fish > ~/.config/fish/completions/probe-agent.fish"
}

// Run prints the script.
func (c *completionCommand) Run(t terminal, parsed *kong.Context) error {
	_, err := fmt.Fprint(t.out, usage.Completion(c.Shell, parsed.Model.Node))
	return err
}
