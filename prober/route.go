package prober

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"

	"probe-agent/packet"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// RouteError says that a target cannot be sent to from this host: it has no
// route, no source address, or no socket of the family. Nothing was sent.
type RouteError struct{ Err error }

// Error names the target.
func (e *RouteError) Error() string { return "prober: " + e.Err.Error() }

// Unwrap returns what the transport said.
func (e *RouteError) Unwrap() error { return e.Err }

func isRouteError(err error) bool {
	_, ok := errors.AsType[*RouteError](err)
	return ok
}

// reasonsTold is how many addresses of a host an error gives reasons for.
const reasonsTold = 4

// TraceFirst is Trace of the first of several addresses of a host, at least
// one, that this host has a route to; spec.Target is ignored. With a route to
// none of them the *RouteError names what was tried.
func (e *Engine) TraceFirst(ctx context.Context, spec traceroute.Spec, targets []netip.Addr, feed Feed) (*traceroute.Result, error) {
	var tried unreachables
	for _, spec.Target = range targets {
		result, err := e.Trace(ctx, spec, feed)
		if !isRouteError(err) || len(targets) == 1 {
			return result, err
		}
		tried = append(tried, errors.Unwrap(err))
	}
	return nil, &RouteError{&tried}
}

// unreachables are why none of a host's addresses can be sent to.
type unreachables []error

// Error gives the first reasons, and says how many more there are.
func (u *unreachables) Error() string {
	var b strings.Builder
	for i, reason := range *u {
		if i == reasonsTold {
			fmt.Fprintf(&b, "; and %d addresses more", len(*u)-i)
			break
		}
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(reason.Error())
	}
	return b.String()
}

// Unwrap returns the reasons.
func (u *unreachables) Unwrap() []error { return *u }

// routing is room for the routes of a trace, both halves of it.
type routing struct {
	queries [2 * traceroute.PacketsPerTTLLimit]packet.RouteQuery
	routes  [2 * traceroute.PacketsPerTTLLimit]packet.Route
}

// routings lets traces that follow each other share the room.
type routings struct{ pool sync.Pool }

func (p *routings) get() *routing {
	if r, ok := p.pool.Get().(*routing); ok {
		return r
	}
	return new(routing)
}

// route decides where all flows of the traces, which are registered, leave
// from. The error is ErrClosed or a *RouteError.
func (e *Engine) route(traces []*trace) error {
	r := e.routings.get()
	defer e.routings.pool.Put(r)
	n := 0
	for _, t := range traces {
		for i := range t.flows {
			r.queries[n] = t.routeQuery(i)
			n++
		}
	}
	switch err := e.transport.Routes(r.queries[:n], r.routes[:n]); {
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case err != nil:
		return &RouteError{fmt.Errorf("no way to %v: %w", traces[0].target, err)}
	}
	n = 0
	for _, t := range traces {
		for i := range t.flows {
			t.flows[i].egress = pacing.Egress{Source: r.routes[n].Source, Interface: r.routes[n].Interface}
			n++
		}
		t.source = t.flows[0].egress.Source
	}
	return nil
}

func (t *trace) routeQuery(flow int) packet.RouteQuery {
	q := packet.RouteQuery{Target: t.target, Protocol: t.typ.Protocol(t.target.Is6())}
	if t.typ == packet.UDP || t.typ == packet.TCP {
		q.SourcePort, q.TargetPort = t.flows[flow].sourcePort, t.port
	}
	return q
}
