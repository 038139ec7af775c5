package prober

import (
	"fmt"
	"sync"

	"probe-agent/packet"
)

// RouteError says that a target cannot be sent to from this host: it has no
// route, no source address, or no socket of the family. Nothing was sent.
type RouteError struct{ Err error }

// Error names the target.
func (e *RouteError) Error() string { return "prober: " + e.Err.Error() }

// Unwrap returns what the transport said.
func (e *RouteError) Unwrap() error { return e.Err }

// routing is room for the routes of a trace, both halves of it.
type routing struct {
	queries [2 * PacketsPerTTLLimit]packet.RouteQuery
	routes  [2 * PacketsPerTTLLimit]packet.Route
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
// from. The error is a *RouteError.
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
	if err := e.transport.Routes(r.queries[:n], r.routes[:n]); err != nil {
		return &RouteError{fmt.Errorf("no way to %v: %w", traces[0].target, err)}
	}
	n = 0
	for _, t := range traces {
		for i := range t.flows {
			t.flows[i].egress = egress{r.routes[n].Source, r.routes[n].Interface}
			n++
		}
		t.source = t.flows[0].egress.source
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
