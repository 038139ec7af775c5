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
	all := tried // escapes, here only
	return nil, &RouteError{&all}
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
	queries []packet.RouteQuery
	routes  []packet.Route
}

// routings lets traces that follow each other share the room.
type routings struct{ pool sync.Pool }

func (p *routings) get() *routing {
	if r, ok := p.pool.Get().(*routing); ok {
		r.queries = r.queries[:0]
		return r
	}
	const usual = 2 * traceroute.PacketsPerTTLLimit
	return &routing{queries: make([]packet.RouteQuery, 0, usual), routes: make([]packet.Route, usual)}
}

// decide has the transport decide for all queries. The error is ErrClosed or a
// *RouteError.
func (r *routing) decide(transport Transport, target netip.Addr) error {
	if len(r.routes) < len(r.queries) {
		r.routes = make([]packet.Route, len(r.queries))
	}
	switch err := transport.Routes(r.queries, r.routes[:len(r.queries)]); {
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case err != nil:
		return &RouteError{fmt.Errorf("no way to %v: %w", target, err)}
	}
	return nil
}

// egress returns where packets leave by a decision.
func (r *routing) egress(query int) pacing.Egress {
	return pacing.Egress{Source: r.routes[query].Source, Interface: r.routes[query].Interface}
}

// route decides where all flows of the traces, which have their identifiers,
// leave from. The error is ErrClosed or a *RouteError.
func (e *Engine) route(traces []*trace) error {
	r := e.routings.get()
	defer e.routings.pool.Put(r)
	for _, t := range traces {
		for i := range t.flows {
			r.queries = append(r.queries, t.routeQuery(i))
		}
	}
	if err := r.decide(e.transport, traces[0].lease.Target); err != nil {
		return err
	}
	e.mu.Lock() // somebody may have guessed an identifier
	defer e.mu.Unlock()
	n := 0
	for _, t := range traces {
		for i := range t.flows {
			t.flows[i].egress = r.egress(n)
			t.lease.Flow(i).Source = t.flows[i].egress.Source
			n++
		}
		t.source = t.flows[0].egress.Source
	}
	return nil
}

// routeFlows is route for further flows of a trace, the first of which has the
// given index. Since the trace has begun, its error is no *RouteError.
func (e *Engine) routeFlows(t *trace, first int, flows []flow) error {
	r := e.routings.get()
	defer e.routings.pool.Put(r)
	for i := range flows {
		r.queries = append(r.queries, t.routeQuery(first+i))
	}
	if err := r.decide(e.transport, t.lease.Target); isRouteError(err) {
		return fmt.Errorf("prober: %w", errors.Unwrap(err))
	} else if err != nil {
		return err
	}
	for i := range flows {
		flows[i].egress = r.egress(i)
	}
	return nil
}

func (t *trace) routeQuery(flow int) packet.RouteQuery {
	typ, target := t.lease.Type, t.lease.Target
	q := packet.RouteQuery{Target: target, Protocol: typ.Protocol(target.Is6())}
	if typ.HasPorts() {
		q.SourcePort, q.TargetPort = t.lease.Flow(flow).SourcePort, t.lease.Port
	}
	return q
}
