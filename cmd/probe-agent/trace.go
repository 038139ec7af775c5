package main

import (
	"context"
	"fmt"
	"os/signal"
	"syscall"

	"probe-agent/api"
	"probe-agent/internal/agent"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
	"probe-agent/lookup"
	"probe-agent/prober"
)

type traceCommand struct{ settings.Trace }

// Help is the long description.
func (*traceCommand) Help() string {
	return "On a terminal tables grow as answers come, in colours unless NO_COLOR is set; on a pipe each is printed when it is final, " +
		"as plain lines.\n\n" +
		"Exit code: 0 every target was reached, 1 some target was not, 2 error. With --follow the last round counts."
}

// Run traces all targets at once.
func (c *traceCommand) Run(t terminal) error {
	for _, target := range c.Targets {
		if err := lookup.CheckTarget(target); err != nil {
			return fmt.Errorf("target %q %w", target, err)
		}
	}
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer release()
	sockets, err := c.Sockets()
	if err != nil {
		return err
	}
	engine, _, err := agent.OpenEngine(sockets, prober.Options{
		Rate: prober.DefaultRate, NearHopRate: prober.DefaultNearHopRate, PrefixRate: prober.DefaultPrefixRate,
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	config := c.Lookup()
	config.Servers, config.Tables, config.Open = c.Servers(), c.ASNData, (&inputfile.Opener{Streams: true}).Open
	names, err := lookup.New(ctx, config)
	if err != nil {
		return err
	}
	defer names.Close()

	local := &api.Local{ColoName: "loc01", CityName: agent.Hostname(), Tracer: engine, Resolver: names, Family: c.Spec().Family}
	tracing := tracing{command: c, colo: local, names: names}
	show := tracing.printTables
	switch {
	case c.JSON:
		show = tracing.printJSON
	case c.CSV:
		show = tracing.printCSV
	}
	code, err := show(ctx, t)
	if err == nil && code != exitOK {
		err = exitStatus(code)
	}
	return err
}

func (c *traceCommand) options() api.Options {
	spec := c.Spec()
	return api.Options{
		MaxTTL:        spec.MaxTTL,
		PacketType:    spec.Method.String(),
		PacketsPerTTL: spec.PacketsPerTTL,
		Port:          spec.Port,
		WaitTime:      int(c.WaitTime),
	}
}
