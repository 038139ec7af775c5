package policy

import (
	"encoding/binary"
	"net/netip"
)

// oneHost reports whether addr can be the address of one host, wherever it is.
// A path to many hosts at once does not exist, and the unspecified address
// means this host or any, depending on whom one asks.
func oneHost(addr netip.Addr) bool {
	return !addr.IsUnspecified() && !addr.IsMulticast() && addr != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// host is what is known of the host that probes. It is not changed any more;
// of a nil one nothing is known.
type host struct {
	own       map[netip.Addr]bool
	broadcast map[netip.Addr]bool // of the networks that it is in
}

func hostOf(addrs []netip.Prefix) *host {
	h := &host{own: make(map[netip.Addr]bool), broadcast: make(map[netip.Addr]bool)}
	for _, prefix := range addrs {
		addr := prefix.Addr().Unmap().WithZone("")
		h.own[addr] = true
		// Networks of two addresses have no broadcast address (RFC 3021).
		if bits := prefix.Bits(); addr.Is4() && bits >= 0 && bits <= 30 {
			octets := addr.As4()
			last := binary.BigEndian.Uint32(octets[:]) | ^uint32(0)>>bits
			h.broadcast[netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, last)))] = true
		}
	}
	return h
}

func (h *host) isOwn(addr netip.Addr) bool { return h != nil && h.own[addr] }

func (h *host) isBroadcast(addr netip.Addr) bool { return h != nil && h.broadcast[addr] }
