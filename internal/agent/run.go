package agent

import (
	"context"
	"fmt"
	"io"
	"time"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/metrics"
	"probe-agent/internal/pulse"
	"probe-agent/internal/sandbox"
	"probe-agent/internal/settings"
)

// Config is what the agent is run with.
type Config struct {
	Settings *settings.Values // that it starts with
	// Read reads the settings anew, for a reload. It returns soon after ctx ends.
	Read    func(ctx context.Context) (*settings.Values, error)
	Files   *inputfile.Opener // opens the files that settings name
	Signals *daemon.Signals
	Log     io.Writer
	Build   metrics.Build
}

// Run serves until a signal comes. The error is what kept it from starting, or
// from going on.
func Run(c Config) error {
	a, commit, err := prepare(c)
	if a != nil {
		defer a.log.close()
	}
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.open(c.Signals.Stop()); err != nil {
		return err
	}
	if err := sandbox.Confine(); err != nil {
		return err
	}
	commit()
	return a.serve(c)
}

// Check reads what the settings name, from pipes too, and returns what is wrong
// with any of it. It opens no socket.
func Check(c Config) error {
	c.Files = &inputfile.Opener{Streams: true}
	a, _, err := prepare(c)
	if a != nil {
		defer a.log.close()
	}
	return err
}

// prepare returns an agent that is not open, and what puts its settings in use
// once it is. Unless it is nil, the agent's log needs a close, also after an error.
func prepare(c Config) (a *agent, commit func(), err error) {
	if err := checkListen(c.Settings); err != nil {
		return nil, nil, err
	}
	a = &agent{
		log:      newLogger(c.Log, c.Settings),
		build:    c.Build,
		settings: c.Settings,
		files:    c.Files,

		credentials: new(access.Registry),
		proxies:     new(api.Proxies),
	}
	setMemory(a.log.Logger)
	err = loading(func() (err error) {
		commit, err = daemon.Prepare(c.Signals.Stop(), a.settings, a.parts())
		return err
	})
	return a, commit, err
}

// checkListen checks the addresses to listen on.
func checkListen(s *settings.Values) error {
	if err := api.CheckListen(string(s.Listen), len(s.Tokens) > 0); err != nil {
		return err
	}
	if s.AdminListen == "" {
		return nil
	}
	if err := api.CheckListen(string(s.AdminListen), false); err != nil {
		return fmt.Errorf("admin-listen %q: profiles show what is in memory, so it must be a loopback address", s.AdminListen)
	}
	return nil
}

// serve serves until a signal comes.
func (a *agent) serve(c Config) error {
	for _, s := range a.servers {
		a.log.Info("listening", "address", s.Listener.Addr().String(), "server", s.Name, "colo", string(a.settings.Colo))
	}
	reloader := daemon.Reloader[*settings.Values]{
		Read:    c.Read,
		Parts:   a.parts(),
		Started: a.settings,
		Fixed:   (*settings.Values).NeedRestart,
	}
	err := daemon.Run(daemon.Config{
		Log:     a.log.Logger,
		Signals: c.Signals,
		Servers: a.servers,
		Watch: []func(context.Context){
			a.watchHost,
			func(ctx context.Context) { watchLosses(ctx, a.log.Logger, a.sockets) },
			a.watchCertificate,
		},
		Reload: func(ctx context.Context) (waiting []string, err error) {
			err = loading(func() (err error) {
				waiting, err = reloader.Reload(ctx)
				return err
			})
			a.numbers.Reloaded(err == nil)
			return waiting, err
		},
		Healthy: pulse.New(a.engine).Check,
		Drain:   a.handler.Drain,
		Grace:   time.Duration(a.settings.ShutdownGrace),
		Cut:     a.handler.Cut,
	})
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}
