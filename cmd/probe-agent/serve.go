package main

import (
	"context"
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"probe-agent/internal/agent"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/metrics"
	"probe-agent/internal/settings"
)

type serveCommand struct{ settings.Serve }

// Help is the long description.
func (*serveCommand) Help() string {
	return "SIGTERM or SIGINT ends the agent: it refuses further requests and lets running ones finish. " +
		"A second signal ends it at once. SIGHUP reads the configuration again and puts it in use, " +
		"unless there is anything wrong with it.\n\n" +
		"Exit code: 0 ended by a signal, or with --check-config nothing is wrong; 2 error."
}

// Run serves until a signal comes.
func (c *serveCommand) Run(t terminal, parsed *kong.Context) error {
	signals := t.signals
	if signals == nil { // serve was not the first argument: "probe-agent -- serve"
		signals = daemon.CatchSignals()
		defer signals.Close()
	}
	info, _ := debug.ReadBuildInfo()
	build := buildOf(info)
	config := agent.Config{
		Settings: settings.NewValues(parsed, &c.Serve),
		Read: func(ctx context.Context) (*settings.Values, error) {
			return readSettings(ctx, t.files, t.args)
		},
		Files:   t.files,
		Signals: signals,
		Log:     t.err,
		Build:   metrics.Build{Version: build.Version, Commit: build.Commit, Go: build.Go},
	}
	if !c.CheckConfig {
		return agent.Run(config)
	}
	if err := agent.Check(config); err != nil {
		return err
	}
	fmt.Fprintln(t.out, "configuration OK")
	return nil
}

// readSettings reads the settings anew from where the process got them.
func readSettings(ctx context.Context, files *inputfile.Opener, args []string) (*settings.Values, error) {
	parser, line, err := newParser(ctx, files)
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	return settings.NewValues(parsed, &line.Serve.Serve), nil
}
