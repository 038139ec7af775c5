package packet

import "net/netip"

// RouteQuery is what routing decisions look at in the packets of a flow.
type RouteQuery struct {
	Target                 netip.Addr
	Protocol               uint8  // of the IP header; see Type.Protocol
	SourcePort, TargetPort uint16 // UDP, TCP; 0 otherwise
}

// Route is where the packets of a flow leave from.
type Route struct {
	Source netip.Addr
	// Interface is the index of the network interface that the packets must
	// leave through. 0 leaves it to the routing table, which takes it from
	// the source address and the protocol.
	Interface int
}

// Outgoing is one crafted IP packet on its way to the wire. Source,
// destination and protocol are read from its IP header.
type Outgoing struct {
	Bytes     []byte // whole IP packet, IPv4 or IPv6
	TxID      uint32 // handed back with the packet's transmit Stamp
	Interface int    // as in the flow's Route
}

// Stamp is the timestamp of an Outgoing packet: when it left, by the kernel.
type Stamp struct {
	TxID uint32
	// Wall is the transmit time by CLOCK_REALTIME, nanoseconds since 1970.
	Wall int64
}

// Incoming is one received packet. For IPv4, Bytes starts with the IP header
// and the address fields may stay unset. For IPv6 raw sockets give no header:
// Bytes starts behind it (and behind extension headers), and Protocol, From,
// To, HopLimit and TrafficClass say what the header said.
type Incoming struct {
	Bytes        []byte
	IPv6         bool
	Protocol     uint8
	From, To     netip.Addr
	HopLimit     uint8 // 0 when unknown
	TrafficClass uint8
	// Wall is the kernel's receive time by CLOCK_REALTIME, nanoseconds since
	// 1970; 0 when the kernel gave none.
	Wall int64
}

// Sender is one way into the network.
type Sender interface {
	// Send hands packets to the network in order and returns how many it
	// took. When sent < len(packets), err says why packets[sent] was refused:
	// an error that matches syscall.EAGAIN means that no packet would go now,
	// syscall.ENOBUFS that this one would not, for its queue is full; any
	// other that it will not go at all. Calls do not overlap. The bytes are
	// not kept.
	Send(packets []Outgoing) (sent int, err error)
}

// Receiver is one queue of received packets.
type Receiver interface {
	// Receive waits for packets, writes them to into and returns their number,
	// at least 1. What the entries point to is valid until the next Receive.
	// One goroutine calls it. After the transport is closed it returns an
	// error that matches net.ErrClosed.
	Receive(into []Incoming) (int, error)

	// Behind reports whether packets that have arrived may not have been dealt
	// with: they wait to be received, or whoever received them has not come
	// back for more. Safe for concurrent use.
	Behind() bool
}
