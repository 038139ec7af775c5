package agent

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"probe-agent/colo"
	"probe-agent/internal/inputfile"
	"probe-agent/internal/settings"
	"probe-agent/lookup"
	"probe-agent/prober"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// defaultColo is the name of an agent that was not told its own.
const defaultColo = "loc01"

// OpenTracer opens what the trace command needs: a service whose only colo is this
// host. The caller calls closeAll once all runs have ended. The error matches
// rawsock.ErrPrivilege when the process may not.
func OpenTracer(ctx context.Context, s *settings.Trace) (traces *service.Service, closeAll func(), err error) {
	if n := len(s.Targets); n > service.MaxTargets {
		return nil, nil, fmt.Errorf("%d targets; one command traces at most %d", n, service.MaxTargets)
	}
	for _, target := range s.Targets {
		if err := lookup.CheckTarget(target); err != nil {
			return nil, nil, fmt.Errorf("target %q %w", target, err)
		}
	}
	sockets, err := s.Sockets()
	if err != nil {
		return nil, nil, err
	}
	engine, _, err := OpenEngine(sockets, prober.Options{
		Rate: prober.DefaultRate, NearHopRate: prober.DefaultNearHopRate, PrefixRate: prober.DefaultPrefixRate,
	})
	if err != nil {
		return nil, nil, err
	}
	config := s.Lookup()
	config.Servers, config.Tables, config.Open = s.Servers(), s.ASNData, (&inputfile.Opener{Streams: true}).Open
	names, err := lookup.New(ctx, config)
	if err != nil {
		return nil, nil, errors.Join(err, engine.Close())
	}
	local := colo.New(colo.Config{Info: traceroute.Colo{Name: defaultColo, City: hostname()}, Tracer: engine, Resolver: names})
	roster, err := service.NewRoster(local)
	if err != nil {
		names.Close()
		return nil, nil, errors.Join(err, engine.Close())
	}
	closeAll = func() {
		names.Close()
		_ = engine.Close() // sockets that end with the process have nothing to tell
	}
	return service.New(service.Config{Roster: roster, Annotator: annotator{names}}), closeAll, nil
}

// annotator makes a lookup.Service a service.Annotator.
type annotator struct{ *lookup.Service }

// Annotate implements service.Annotator.
func (a annotator) Annotate(ctx context.Context, addrs []netip.Addr) traceroute.Notes {
	known := a.Service.Annotate(ctx, addrs)
	notes := make(traceroute.Notes, len(known))
	for addr, k := range known {
		notes[addr] = traceroute.Note{Name: k.Name, ASN: traceroute.ASN(k.ASN)}
	}
	return notes
}
