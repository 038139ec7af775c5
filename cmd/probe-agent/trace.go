package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"probe-agent/api"
	"probe-agent/prober"
)

type traceCommand struct {
	Targets       []string      `arg:"" name:"target" help:"Host names or addresses, 1 to 10."`
	PacketType    method        `short:"P" default:"icmp" placeholder:"TYPE" help:"What to probe with: icmp, tcp, udp, gre or gre+icmp (${default})."`
	MaxTTL        maxTTL        `short:"m" name:"max-ttl" default:"15" placeholder:"N" help:"Highest TTL, 1 to 64 (${default})."`
	PacketsPerTTL packetsPerTTL `short:"q" name:"packets-per-ttl" default:"3" placeholder:"N" help:"Packets for each TTL, 1 to 10 (${default})."`
	// Kubernetes sets PROBE_AGENT_PORT to a URL for a service called
	// probe-agent, so this flag's variable has another name.
	Port     port     `short:"p" default:"0" env:"PROBE_AGENT_TRACE_PORT" placeholder:"PORT" help:"Destination port of udp and tcp, first sequence number of icmp. 0 is the best: udp 33434, tcp 80, icmp 1."`
	WaitTime waitTime `short:"w" name:"wait-time" default:"1" placeholder:"SECONDS" help:"How long to wait for each answer, 1 to 5 seconds (${default})."`
	IPv4     bool     `short:"4" name:"ipv4" env:"PROBE_AGENT_IPV4" xor:"family" help:"Trace IPv4 addresses only."`
	IPv6     bool     `short:"6" name:"ipv6" env:"PROBE_AGENT_IPV6" xor:"family" help:"Trace IPv6 addresses only."`
	JSON     bool     `name:"json" help:"Print what the HTTP API would answer."`
	nameFlags
	socketFlags
}

// Help is the long description.
func (*traceCommand) Help() string {
	return "Exit code: 0 every target was reached, 1 some target was not, 2 error."
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
	engine, _, err := openEngine(c.socketFlags, prober.Options{
		Rate: prober.DefaultRate, NearHopRate: prober.DefaultNearHopRate, PrefixRate: prober.DefaultPrefixRate,
	})
	if err != nil {
		return err
	}
	defer engine.Close()
	names, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer names.Close()

	local := &api.Local{ColoName: "loc01", CityName: hostname(), Tracer: engine, Family: c.family()}
	show := c.printTables
	if c.JSON {
		show = c.printJSON
	}
	code, err := show(ctx, t, local, names)
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
		PacketType:    prober.Method(c.PacketType).String(),
		PacketsPerTTL: int(c.PacketsPerTTL),
		Port:          int(c.Port),
		WaitTime:      int(c.WaitTime),
	}
}

// printJSON has the API's service do it all and prints the envelope.
func (c *traceCommand) printJSON(ctx context.Context, t terminal, colo api.Colo, names api.Annotator) (code int, err error) {
	service, err := api.New(api.Config{Colos: []api.Colo{colo}, Annotator: names})
	if err != nil {
		return exitError, err
	}
	response, err := service.Run(ctx, api.Request{Targets: c.Targets, Options: c.options()})
	if refused, ok := errors.AsType[*api.RequestError](err); ok {
		response = refused.Response()
	} else if err != nil {
		return exitError, err
	}
	encoder := json.NewEncoder(t.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(response); err != nil {
		return exitError, fmt.Errorf("printing: %w", err)
	}
	return codeOf(response), nil
}

// codeOf returns the exit code that an answer stands for.
func codeOf(response *api.Response) int {
	if !response.Success {
		return exitError
	}
	code := exitOK
	for _, target := range response.Result {
		for _, colo := range target.Colos {
			switch {
			case colo.Error != "":
				code = exitError
			case colo.Summary.PacketCount == 0:
				code = max(code, exitPartial)
			}
		}
	}
	return code
}

// printTables traces the targets and shows a table of each.
func (c *traceCommand) printTables(ctx context.Context, t terminal, colo api.Colo, names api.Annotator) (code int, err error) {
	spec, err := c.options().Spec()
	if err != nil {
		return exitError, err
	}
	spec.Heard = func(from netip.Addr, _ uint8) { names.Prefetch(from) }
	view := newView(t.out, len(c.Targets))
	codes := make([]int, len(c.Targets))
	var running sync.WaitGroup
	for i, target := range c.Targets {
		view.update(i, []string{target + ": …"})
		running.Go(func() {
			spec := spec
			spec.Progress = func(r *prober.Result) { view.update(i, table(target, r, nil)) }
			result, err := colo.Trace(ctx, target, spec)
			if err != nil {
				codes[i] = exitError
				view.abandon(i, target, reason(ctx, err))
				return
			}
			if result.Stop != prober.Reached {
				codes[i] = exitPartial
			}
			view.finish(i, table(target, result, names.Annotate(ctx, responders(result))))
		})
	}
	running.Wait()
	for _, one := range codes {
		code = max(code, one)
	}
	return code, nil
}

// responders returns every address that answered, each once.
func responders(r *prober.Result) []netip.Addr {
	var addrs []netip.Addr
	for _, p := range r.Probes {
		if p.Answer != nil && !slices.Contains(addrs, p.Answer.From) {
			addrs = append(addrs, p.Answer.From)
		}
	}
	return addrs
}

// reason is the error of a trace in words.
func reason(ctx context.Context, err error) string {
	if ctx.Err() != nil {
		return "interrupted"
	}
	if failure, ok := errors.AsType[*api.Failure](err); ok {
		return failure.Reason
	}
	return err.Error()
}
