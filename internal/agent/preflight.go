package agent

import (
	"context"
	"os"

	"probe-agent/internal/preflight"
	"probe-agent/internal/rawsock"
	"probe-agent/lookup"
)

// Preflight finds out whether this host has what an agent with these sockets
// needs. It looks up a name too, unless that is empty.
func Preflight(sockets rawsock.Options, name string) []preflight.Finding {
	root := os.DirFS("/")
	transport, err := OpenSockets(sockets)
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
	if name != "" {
		findings = append(findings, lookUp(name))
	}
	return findings
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
