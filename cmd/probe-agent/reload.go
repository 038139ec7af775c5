package main

import (
	"context"
	"reflect"

	"github.com/alecthomas/kong"

	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/prober"
)

// settings are those of serve as they were read at one time.
type settings struct {
	*serveCommand
	flags []*kong.Flag // that they come from, in the order of the help
}

// readSettings reads the settings from the arguments of the program, the
// environment and the file that one of them names.
func readSettings(ctx context.Context, files *inputfile.Opener, args []string) (*settings, error) {
	parser, line, err := newParser(readingFiles(ctx, files))
	if err != nil {
		return nil, err
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return nil, err
	}
	return &settings{serveCommand: &line.Serve, flags: parsed.Selected().Flags}, nil
}

// parts are what the agent makes from its settings at the start, and again at
// every reload. Package daemon says how to add one. The flags that a part reads
// are tagged with reload.
func (a *agent) parts() []daemon.Part[*settings] {
	return append([]daemon.Part[*settings]{
		a.protectionsPart(),
		{Prepare: func(_ context.Context, s *settings) (func(), error) {
			return func() { a.log.level.Set(s.LogLevel.level()) }, nil
		}},
		{Prepare: func(_ context.Context, s *settings) (func(), error) {
			rates := prober.Options{Rate: float64(s.Rate), NearHopRate: float64(s.NearHopRate), PrefixRate: float64(s.PrefixRate)}
			return func() { a.engine.SetRates(rates) }, nil
		}},
		{Prepare: func(ctx context.Context, s *settings) (func(), error) {
			rules, lists, err := s.rules(ctx, a.files, a.lists)
			if err == nil {
				err = a.lists.checkReload(lists)
			}
			if err != nil {
				return nil, err
			}
			return func() {
				a.lists.logShorter(a.log.Logger, lists)
				a.policy.Replace(rules)
				a.lists = lists
				a.local.RedactHops(int(s.RedactHops))
			}, nil
		}},
		{Prepare: func(_ context.Context, s *settings) (func(), error) {
			limits := s.limits()
			if err := limits.Check(); err != nil {
				return nil, err
			}
			return func() { _ = a.limiter.SetLimits(limits) }, nil // checked
		}},
		{Prepare: func(ctx context.Context, s *settings) (func(), error) {
			tables, err := a.tables.Reload(ctx, a.files.Open, s.ASNData...)
			if err != nil {
				return nil, err
			}
			servers := s.servers()
			return func() {
				a.names.UseTables(tables)
				a.tables = tables
				a.names.UseServers(servers)
			}, nil
		}},
	}, a.accessParts()...)
}

// fixedSettings names the settings that differ and that no part puts in use.
func fixedSettings(started, fresh *settings) []string {
	var differ []string
	for i, flag := range started.flags {
		// The file's name is constant, its content is the other settings.
		if _, ok := reflect.TypeAssert[configFile](flag.Target); ok || flag.Tag.Has("reload") {
			continue
		}
		// Of one program, so in one order.
		if !reflect.DeepEqual(flag.Target.Interface(), fresh.flags[i].Target.Interface()) {
			differ = append(differ, flag.Name)
		}
	}
	return differ
}
