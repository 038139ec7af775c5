package agent

import (
	"context"

	"probe-agent/internal/daemon"
	"probe-agent/internal/settings"
)

// parts are what the agent makes from its settings at the start, and again at
// every reload. Package daemon says how to add one. The settings that a part
// reads are tagged with reload.
func (a *agent) parts() []daemon.Part[*settings.Values] {
	return append([]daemon.Part[*settings.Values]{
		a.protectionsPart(),
		{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
			return func() { a.log.level.Set(s.Level()) }, nil
		}},
		{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
			rates := s.Rates()
			return func() { a.engine.SetRates(rates) }, nil
		}},
		{Prepare: func(ctx context.Context, s *settings.Values) (func(), error) {
			rules, lists, err := readRules(ctx, a.files, s, a.lists)
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
		{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
			limits := s.Limits()
			if err := limits.Check(); err != nil {
				return nil, err
			}
			return func() { _ = a.limiter.SetLimits(limits) }, nil // checked
		}},
		{Prepare: func(_ context.Context, s *settings.Values) (func(), error) {
			kept := s.Kept()
			return func() { a.handler.Keep(kept) }, nil
		}},
		{Prepare: func(ctx context.Context, s *settings.Values) (func(), error) {
			tables, err := a.tables.Reload(ctx, a.files.Open, s.ASNData...)
			if err != nil {
				return nil, err
			}
			servers := s.Servers()
			return func() {
				a.names.UseTables(tables)
				a.tables = tables
				a.names.UseServers(servers)
			}, nil
		}},
	}, a.accessParts()...)
}

// protectionsPart refuses a reload that would lift a protection without saying
// so, and logs what one lifts by saying so.
func (a *agent) protectionsPart() daemon.Part[*settings.Values] {
	return daemon.Part[*settings.Values]{Prepare: func(_ context.Context, fresh *settings.Values) (func(), error) {
		var lifted []string
		if a.inUse != nil {
			var err error
			if lifted, err = a.inUse.Lifted(fresh); err != nil {
				return nil, err
			}
		}
		return func() {
			for _, setting := range lifted {
				a.log.Warn("setting protects less than before", "setting", setting)
			}
			a.inUse = fresh
		}, nil
	}}
}
