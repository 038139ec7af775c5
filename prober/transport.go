package prober

import (
	"fmt"

	"probe-agent/packet"
	"probe-agent/traceroute"
)

// Transport carries crafted IP packets to the network and brings back
// whatever arrives. internal/rawsock implements it on Linux raw sockets,
// internal/netsim in memory.
type Transport interface {
	// Supports returns nil when probes of a type can be sent over IPv4 or IPv6
	// and their answers received; otherwise it says what that takes. Constant.
	Supports(typ packet.Type, ipv6 bool) error

	// Routes decides for each flow, in one go, which source address its packets
	// have and which interface they leave through, and writes that to routes,
	// which is as long as flows. Packets sent with that source and interface
	// take the way that the decision was made for as long as the host's routes
	// stay as they are. An error means that a flow has no route, or the host no
	// socket of its family; it is the first flow's that has none. After Close
	// it matches net.ErrClosed. Safe for concurrent use. Neither slice is kept.
	Routes(flows []packet.RouteQuery, routes []packet.Route) error

	// Senders returns the senders, at least one, which may all be sending at
	// one time. Constant; the engine calls it once.
	Senders() []packet.Sender

	// Stamps moves transmit stamps that have come in since the last call to
	// into and returns their number, without waiting. A packet gets at most
	// one stamp, and may get none. Safe for concurrent use.
	Stamps(into []packet.Stamp) int

	// Receivers returns the receive queues. Constant; the engine calls it once.
	Receivers() []packet.Receiver

	// Ports returns the local TCP and UDP ports that probes may use as
	// source: held by the transport, so that no connection of the host can
	// share them. At least PacketsPerTTLLimit of them, or none when it supports
	// no type with ports.
	Ports() []uint16

	// Close wakes every Receive and frees the sockets. Send must not be
	// under way.
	Close() error
}

// needsPorts reports whether a transport supports a type with ports.
func needsPorts(transport Transport) bool {
	for _, typ := range packet.Types() {
		if typ.HasPorts() && (transport.Supports(typ, false) == nil || transport.Supports(typ, true) == nil) {
			return true
		}
	}
	return false
}

// UnsupportedError says that the transport cannot probe by a method over a
// family. It is wrapped in a RouteError.
type UnsupportedError struct {
	Method traceroute.Method
	IPv6   bool
	Err    error // what it would take
}

// Error names method and family.
func (e *UnsupportedError) Error() string {
	family := "IPv4"
	if e.IPv6 {
		family = "IPv6"
	}
	return fmt.Sprintf("%v over %s is not supported: %v", e.Method, family, e.Err)
}

// Unwrap returns what it would take.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// supports returns nil when the transport supports every type of a method over
// the target's family, otherwise a *RouteError.
func (e *Engine) supports(spec *traceroute.Spec) error {
	ipv6 := spec.Target.Is6()
	for _, typ := range methodTypes[spec.Method] {
		if err := e.transport.Supports(typ, ipv6); err != nil {
			return &RouteError{fmt.Errorf("%v: %w", spec.Target, &UnsupportedError{Method: spec.Method, IPv6: ipv6, Err: err})}
		}
	}
	return nil
}
