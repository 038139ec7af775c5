package main

import (
	"fmt"
	"time"

	"github.com/alecthomas/kong"

	"probe-agent/access"
	"probe-agent/api"
	"probe-agent/internal/daemon"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/sandbox"
)

// serveCommand has the settings of the agent. Those that a part of parts puts
// in use at a reload are tagged with reload.
type serveCommand struct {
	Config        configFile    `placeholder:"FILE" help:"YAML file with any of the flags below as keys. A flag wins over its environment variable, and that over the file."`
	Listen        listenAddress `default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"Address to listen on (${default}). Loopback only, as long as no credentials are configured."`
	AdminListen   listenAddress `placeholder:"HOST:PORT" help:"Loopback address to serve profiles, /metrics and health checks on, without credentials. Default: none."`
	Colo          coloName      `default:"loc01" placeholder:"NAME" help:"Short name of this place, which requests select by and answers show (${default})."`
	City          string        `placeholder:"TEXT" help:"This place in words, as answers show it. Default: the host name."`
	Rate          packetRate    `reload:"" default:"10000" placeholder:"PPS" help:"Most probes a second, all traces together (${default}). 0 lifts the limit."`
	NearHopRate   packetRate    `reload:"" default:"500" placeholder:"PPS" help:"Most probes a second to each of the first three TTLs, whose routers every trace shares (${default}). 0 lifts the limit."`
	PrefixRate    packetRate    `reload:"" default:"1000" placeholder:"PPS" help:"Most probes within any second to one destination prefix, a /24 of IPv4 or a /48 of IPv6, all traces together (${default}). 0 lifts the limit."`
	ShutdownGrace graceTime     `default:"20s" placeholder:"TIME" help:"How long running requests get to finish after the first signal to end (${default}). What takes longer is cut, and says so in its answer."`
	LogFormat     logFormat     `default:"text" placeholder:"text|json" help:"Form of the log on standard error (${default})."`
	LogLevel      logLevel      `reload:"" default:"info" placeholder:"LEVEL" help:"Least level that is logged: debug, info, warn or error (${default})."`
	CheckConfig   bool          `command-line:"" help:"Say what is wrong with the configuration, and with the files that it names, and end. Opens no socket."`
	limitFlags
	nameFlags
	policyFlags
	socketFlags
	accessFlags
}

// Help is the long description.
func (*serveCommand) Help() string {
	return "SIGTERM or SIGINT ends the agent: it refuses further requests and lets running ones finish. " +
		"A second signal ends it at once. SIGHUP reads the configuration again and puts it in use, " +
		"unless there is anything wrong with it.\n\n" +
		"Exit code: 0 ended by a signal, or with --check-config nothing is wrong; 2 error."
}

// maxGrace is more than any request takes.
const maxGrace = time.Minute

// graceTime is a time that a shutdown may take.
type graceTime time.Duration

func (v *graceTime) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 || d > maxGrace {
		return fmt.Errorf("%q is not a time from 0s to %v", text, maxGrace)
	}
	*v = graceTime(d)
	return nil
}

// Run serves until a signal comes.
func (c *serveCommand) Run(t terminal, parsed *kong.Context) error {
	signals := t.signals
	if signals == nil { // serve was not the first argument: "probe-agent -- serve"
		signals = daemon.CatchSignals()
		defer signals.Close()
	}
	if err := c.checkListen(); err != nil {
		return err
	}
	a := &agent{
		log:      newLogger(t.err, c.LogFormat, c.LogLevel),
		settings: &settings{serveCommand: c, flags: parsed.Selected().Flags},
		files:    t.files,

		credentials: new(access.Registry),
		proxies:     new(api.Proxies),
	}
	if c.CheckConfig {
		a.files = &inputfile.Opener{Streams: true}
	}
	defer a.log.close()
	setMemory(a.log.Logger)
	var commit func()
	err := loading(func() (err error) {
		commit, err = daemon.Prepare(signals.Stop(), a.settings, a.parts())
		return err
	})
	if err != nil {
		return err
	}
	if c.CheckConfig {
		fmt.Fprintln(t.out, "the configuration is good")
		return nil
	}
	defer a.close()
	if err := a.open(signals.Stop()); err != nil {
		return err
	}
	if err := sandbox.Confine(); err != nil {
		return err
	}
	commit()
	return a.serve(signals, t.args)
}

// checkListen checks the addresses to listen on.
func (c *serveCommand) checkListen() error {
	if err := api.CheckListen(string(c.Listen), len(c.Tokens) > 0); err != nil {
		return err
	}
	if c.AdminListen == "" {
		return nil
	}
	if err := api.CheckListen(string(c.AdminListen), false); err != nil {
		return fmt.Errorf("admin-listen %q: profiles show what is in memory, so it must be a loopback address", c.AdminListen)
	}
	return nil
}
