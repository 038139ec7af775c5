package main

import (
	"fmt"

	"probe-agent/internal/agent"
	"probe-agent/internal/settings"
)

// healthCommand takes the settings of serve, so that with the same environment
// and file it finds the agent where that listens.
type healthCommand struct {
	Ready bool `help:"Ask whether the agent can trace (/readyz) instead of whether it lives (/healthz)."`
	settings.Serve
}

// Help is the long description.
func (*healthCommand) Help() string {
	return "For health checks where there is no shell and no curl, such as in a container. Takes all settings of " +
		"serve and uses those that say where it listens.\n\n" +
		"Exit code: 0 healthy, 1 not, or not reached, 2 error."
}

// Run asks the running agent.
func (c *healthCommand) Run(t terminal) error {
	url, err := agent.HealthURL(&c.Serve, c.Ready)
	if err != nil {
		return err
	}
	if err := agent.CheckHealth(url); err != nil {
		fmt.Fprintf(t.err, "probe-agent: not healthy: %v\n", err)
		return exitStatus(exitPartial)
	}
	return nil
}
