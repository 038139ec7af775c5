package prober

import "probe-agent/packet"

// Transport carries crafted IP packets to the network and brings back
// whatever arrives. internal/rawsock implements it on Linux raw sockets,
// internal/netsim in memory.
type Transport interface {
	// Routes decides for each flow, in one go, which source address its packets
	// have and which interface they leave through, and writes that to routes,
	// which is as long as flows. Packets sent with that source and interface
	// take the way that the decision was made for as long as the host's routes
	// stay as they are. An error means that a flow has no route, or the host no
	// socket of its family; it is the first flow's that has none. After Close
	// it matches net.ErrClosed. Safe for concurrent use. Neither slice is kept.
	Routes(flows []packet.RouteQuery, routes []packet.Route) error

	// Lanes returns how many Sends may run at one time, each on a lane of its
	// own; at least 1, constant.
	Lanes() int

	// Send hands packets to the network in order and returns how many it
	// took. When sent < len(packets), err says why packets[sent] was refused:
	// an error that matches syscall.EAGAIN means that no packet would go now,
	// syscall.ENOBUFS that this one would not, for its way out is full; any
	// other that it will not go at all. Calls for one lane, 0 to Lanes()-1, do
	// not overlap. The bytes are not kept.
	Send(lane int, packets []packet.Outgoing) (sent int, err error)

	// Stamps moves transmit stamps that have come in since the last call to
	// into and returns their number, without waiting. A packet gets at most
	// one stamp, and may get none. Safe for concurrent use.
	Stamps(into []packet.Stamp) int

	// Queues returns the number of receive queues; constant.
	Queues() int

	// Receive waits for packets on one queue, writes them to into and returns
	// their number, at least 1. What the entries point to is valid until the
	// next Receive on that queue. One goroutine per queue. After Close it
	// returns an error that matches net.ErrClosed.
	Receive(queue int, into []packet.Incoming) (int, error)

	// Behind reports whether packets that have arrived on a queue may not have
	// been dealt with: they wait to be received, or whoever received them has
	// not come back for more. Safe for concurrent use.
	Behind(queue int) bool

	// Ports returns the local TCP and UDP ports that probes may use as
	// source: held by the transport, so that no connection of the host can
	// share them. At least PacketsPerTTLLimit of them.
	Ports() []uint16

	// Close wakes every Receive and frees the sockets. Send must not be
	// under way.
	Close() error
}
