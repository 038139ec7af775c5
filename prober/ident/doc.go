// Package ident allocates what identifies probes, and finds the probe that an
// answer belongs to.
//
// A [Registry] knows nothing of traces. Whoever sends probes has a [Lease] on
// the identifiers of its flows: flow identifiers of 16 bits, and source ports
// for types that have ports. A [Match] returns the lease's owner, flow and TTL.
// ADR 1 has the table of what identifies and what authenticates a probe of each
// type.
//
// The package reads no clock and starts no goroutine; time is an argument. A
// Registry and its Leases are not safe for concurrent use.
package ident
