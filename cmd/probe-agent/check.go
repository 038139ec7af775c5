package main

import (
	"encoding/json"

	"probe-agent/internal/agent"
	"probe-agent/internal/preflight"
	"probe-agent/internal/settings"
)

type checkCommand struct {
	JSON bool   `name:"json" help:"Print JSON."`
	DNS  string `name:"dns" placeholder:"NAME" help:"Look up this name too. Without it nothing is sent."`
	settings.SocketFlags
}

// Help is the long description.
func (*checkCommand) Help() string {
	return "Exit code: 0 nothing is missing, 1 something is, 2 error. Sends no packet, except with --dns."
}

// Run prints the findings.
func (c *checkCommand) Run(t terminal) error {
	sockets, err := c.Sockets()
	if err != nil {
		return err
	}
	findings := agent.Preflight(sockets, c.DNS)
	if c.JSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(map[string]any{"complete": preflight.Complete(findings), "findings": findings})
	} else {
		err = preflight.Write(t.out, findings)
	}
	if err == nil && !preflight.Complete(findings) {
		return exitStatus(exitPartial)
	}
	return err
}
