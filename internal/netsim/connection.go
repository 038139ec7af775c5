package netsim

import (
	"net/netip"
	"time"
)

// connection is what distinguishes the connections of a host.
type connection struct {
	peer                 netip.Addr
	local                netip.Addr
	peerPort, listenPort uint16
}

// halfOpen is a connection that a SYN has begun (SYN-RECEIVED, RFC 9293 section
// 3.3.2). The prober's host resets it when the SYN-ACK comes.
type halfOpen struct {
	initial  uint32 // the peer's initial sequence number
	until    time.Duration
	repeated time.Duration // when it was last answered again
}

// repeatInterval is how often Linux answers further SYNs of a half-open
// connection that it does not reset (net.ipv4.tcp_invalid_ratelimit).
const repeatInterval = 500 * time.Millisecond

// receiveWindow is how far beyond the initial sequence number a host accepts.
const receiveWindow = 64240

// listen decides what a host that listens answers to a SYN that arrives now,
// as Linux does; false is nothing. The peer's reset comes after roundTrip.
func (s *station) listen(c connection, sequence uint32, now, roundTrip time.Duration) (tcpAnswer, bool) {
	accept := tcpAnswer{
		sequence:        uint32(mix(s.seed ^ uint64(sequence))),
		acknowledgement: sequence + 1,
		flags:           flagSYN | flagACK,
		window:          0xffff,
	}
	h, exists := s.connections[c]
	ahead := sequence - h.initial
	switch {
	case !exists || now >= h.until:
		if s.connections == nil {
			s.connections = make(map[connection]halfOpen)
		}
		s.connections[c] = halfOpen{initial: sequence, until: now + roundTrip, repeated: -repeatInterval}
		return accept, true
	case ahead != 0 && ahead <= receiveWindow: // RFC 9293 section 3.10.7.4, fourth
		delete(s.connections, c)
		return tcpAnswer{acknowledgement: sequence + 1, flags: flagRST | flagACK}, true
	case now-h.repeated < repeatInterval:
		return tcpAnswer{}, false
	}
	h.repeated = now
	s.connections[c] = h
	if ahead == 0 {
		return accept, true
	}
	return tcpAnswer{sequence: accept.sequence + 1, acknowledgement: h.initial + 1, flags: flagACK, window: 0xffff}, true
}
