package rawsock

// stampMode is how a transmit stamp finds its packet.
type stampMode uint8

const (
	stampAuto    stampMode = iota // the best that the kernel can do
	stampToken                    // the packet's token goes down with it and comes back in the stamp
	stampCounter                  // the kernel numbers the packets of a socket, and so do we
	stampNone                     // no transmit stamps
)

// String returns the name shown in Status.
func (m stampMode) String() string {
	return [...]string{"auto", "per-packet id", "counter", "none"}[m]
}

// Status is what a Transport got from the kernel, and what it lost.
type Status struct {
	// IPv4 and IPv6 say why the family cannot be used; nil when it can. A
	// usable family may still lack a route.
	IPv4, IPv6 error
	// RouteTable says why the routing table cannot be asked by netlink; nil when
	// it can. Without it, routing rules by protocol or port, and routes of equal
	// cost, may make probes leave through an interface whose address they do not
	// have.
	RouteTable error
	// ByProtocol tells whether the kernel looks the route of a probe up by the
	// probe's protocol. Others (before Linux 6.4) do so by protocol 255, and
	// rules by protocol do not hold.
	ByProtocol bool
	// LoopbackDown tells that lo was down at Open.
	LoopbackDown bool
	// TakesForeignErrors tells that the kernel takes an ICMP error that quotes
	// protocol 255 for an error of the sending sockets.
	TakesForeignErrors bool
	// ForeignErrors counts such errors since Open. They are forged, or about
	// another program's packets: no probe has that protocol.
	ForeignErrors uint64
	// Ports is how many source ports are held; see Options.Ports.
	Ports int
	// StampMode is how transmit stamps are told apart: "per-packet id" (Linux
	// 6.13 and later), "counter" or "none". When the families differ it is
	// the lesser one.
	StampMode string
	// ReceiveStamps tells whether the kernel stamps what arrives.
	ReceiveStamps bool
	// ReceiveBuffer is the least that any receiving socket was granted, in
	// bytes as the kernel counts them: its own overhead included, and twice
	// what was asked when all of it was granted.
	ReceiveBuffer int
	// SendBuffer is the least that any sending socket was granted, counted
	// likewise.
	SendBuffer int
	// Drops counts packets that the kernel had no room for in a receiving
	// socket since Open.
	Drops uint64
	// Truncated counts packets that were longer than the receive buffers'
	// 2048 bytes and lost their end.
	Truncated uint64
	// LostStamps counts transmit stamps that could not be kept or credited.
	LostStamps uint64
}
