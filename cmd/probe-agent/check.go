package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"probe-agent/internal/agent"
	"probe-agent/internal/preflight"
	"probe-agent/internal/rawsock"
	"probe-agent/internal/settings"
	"probe-agent/lookup"
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
	findings := c.findings()
	if c.JSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(map[string]any{"complete": preflight.Complete(findings), "findings": findings}); err != nil {
			return err
		}
	} else {
		printFindings(t.out, findings)
	}
	if !preflight.Complete(findings) {
		return exitStatus(exitPartial)
	}
	return nil
}

func (c *checkCommand) findings() []preflight.Finding {
	root := os.DirFS("/")
	transport, err := c.open()
	// After the sockets, since opening them puts the capability in effect.
	findings := []preflight.Finding{preflight.Capability(root)}
	source := preflight.KernelSource
	if err == nil {
		defer transport.Close()
		source = preflight.ProbeSource(transport)
		findings = append(findings, preflight.Sockets(root, transport.Status())...)
	} else {
		findings = append(findings, preflight.NoSockets(err))
	}
	findings = append(findings, preflight.Routes(source)...)
	findings = append(findings, preflight.Nameservers(root))
	if c.DNS != "" {
		findings = append(findings, lookUp(c.DNS))
	}
	return findings
}

func (c *checkCommand) open() (*rawsock.Transport, error) {
	options, err := c.Sockets()
	if err != nil {
		return nil, err
	}
	return agent.OpenSockets(options)
}

// lookUp finds whether name resolves as a target's would.
func lookUp(name string) preflight.Finding {
	ctx := context.Background()
	resolver, err := lookup.New(ctx, lookup.Config{Names: lookup.Off})
	if err != nil {
		return preflight.Finding{Name: "DNS look-up of " + name, State: preflight.Missing, Detail: err.Error()}
	}
	defer resolver.Close()
	return preflight.Lookup(ctx, resolver, name)
}

func printFindings(w io.Writer, findings []preflight.Finding) {
	width := 0
	for _, f := range findings {
		width = max(width, len(f.Name))
	}
	for _, f := range findings {
		fmt.Fprintf(w, "%-7s  %-*s  %s\n", f.State, width, f.Name, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(w, "%-7s  %-*s  → %s\n", "", width, "", f.Advice)
		}
	}
}
