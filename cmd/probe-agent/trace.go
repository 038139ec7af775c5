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
	"probe-agent/traceroute"
)

type traceCommand struct {
	Targets       []string      `arg:"" name:"target" help:"Host names or addresses, 1 to 10."`
	PacketType    method        `short:"P" default:"icmp" placeholder:"TYPE" help:"What to probe with: icmp, tcp, udp, gre or gre+icmp (${default})."`
	MaxTTL        maxTTL        `short:"m" name:"max-ttl" default:"15" placeholder:"N" help:"Highest TTL, 1 to 64 (${default})."`
	PacketsPerTTL packetsPerTTL `short:"q" name:"packets-per-ttl" placeholder:"N" help:"Packets for each TTL, 1 to 10 (3, with --follow 1)."`
	// Kubernetes sets PROBE_AGENT_PORT to a URL for a service called
	// probe-agent, so this flag's variable has another name.
	Port     port     `short:"p" default:"0" env:"PROBE_AGENT_TRACE_PORT" placeholder:"PORT" help:"Destination port of udp and tcp, first sequence number of icmp. 0 is the best: udp 33434, tcp 80, icmp 1."`
	WaitTime waitTime `short:"w" name:"wait-time" default:"1" placeholder:"SECONDS" help:"How long to wait for each answer, 1 to 5 seconds (${default})."`
	IPv4     bool     `short:"4" name:"ipv4" xor:"family" help:"Trace IPv4 addresses only."`
	IPv6     bool     `short:"6" name:"ipv6" xor:"family" help:"Trace IPv6 addresses only."`
	JSON     bool     `name:"json" xor:"form" help:"Print what the HTTP API would answer, one line a round."`
	CSV      bool     `name:"csv" xor:"form" help:"Print comma-separated values: a row for each node of each hop, under a row of titles."`
	Follow   bool     `help:"Trace again and again, and show all rounds taken together. Each round probes other flows. Ends after --rounds, or by a signal."`
	Rounds   rounds   `default:"0" placeholder:"N" help:"With --follow, how many rounds, up to 1000000. 0 means without end (${default})."`
	Interval interval `default:"1" placeholder:"SECONDS" help:"With --follow, how long from the beginning of one round to that of the next, 1 to 3600 seconds (${default})."`
	settings.NameFlags
	settings.SocketFlags
}

// Help is the long description.
func (*traceCommand) Help() string {
	return "On a terminal tables grow as answers come, in colours unless NO_COLOR is set; on a pipe each is printed when it is final, " +
		"as plain lines.\n\n" +
		"Exit code: 0 every target was reached, 1 some target was not, 2 error. With --follow the last round counts."
}

// Run traces all targets at once.
func (c *traceCommand) Run(t terminal) error {
	for _, target := range c.Targets {
		if err := api.CheckTarget(target); err != nil {
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

	local := &api.Local{ColoName: "loc01", CityName: agent.Hostname(), Tracer: engine, Resolver: names, Family: c.family()}
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

func (c *traceCommand) family() api.Family {
	switch {
	case c.IPv4:
		return api.IPv4Only
	case c.IPv6:
		return api.IPv6Only
	}
	return api.AnyFamily
}

func (c *traceCommand) options() api.Options {
	return api.Options{
		MaxTTL:        int(c.MaxTTL),
		PacketType:    traceroute.Method(c.PacketType).String(),
		PacketsPerTTL: c.packetsPerTTL(),
		Port:          int(c.Port),
		WaitTime:      int(c.WaitTime),
	}
}

// packetsPerTTL returns how many packets a round sends to each TTL. Rounds add
// up, and routers that limit their ICMP errors answer about one a second
// (ADR 46).
func (c *traceCommand) packetsPerTTL() int {
	switch {
	case c.PacketsPerTTL != 0:
		return int(c.PacketsPerTTL)
	case c.Follow:
		return 1
	}
	return traceroute.DefaultPackets
}
