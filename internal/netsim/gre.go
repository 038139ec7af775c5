package netsim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// greHeader is what a GRE packet starts with (RFC 2784, RFC 2890).
type greHeader struct {
	length  int
	payload uint16 // EtherType of what is inside
	key     uint32
	hasKey  bool
}

// GRE flag bits, of the first byte.
const (
	greChecksum = 0x80
	greRouting  = 0x40
	greKey      = 0x20
	greSequence = 0x10
)

// EtherTypes that a tunnel carries.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// readGRE reads a version 0 header without source route. It reports false for
// any other, and for one that is cut short.
func readGRE(b []byte) (greHeader, bool) {
	if len(b) < 4 || b[0]&greRouting != 0 || b[1]&7 != 0 {
		return greHeader{}, false
	}
	h := greHeader{length: 4, payload: binary.BigEndian.Uint16(b[2:])}
	for _, flag := range []uint8{greChecksum, greKey, greSequence} {
		if b[0]&flag == 0 {
			continue
		}
		if len(b) < h.length+4 {
			return greHeader{}, false
		}
		if flag == greKey {
			h.key, h.hasKey = binary.BigEndian.Uint32(b[h.length:]), true
		}
		h.length += 4
	}
	return h, true
}

// shortestGRE is what Linux wants to see behind the IP header before it looks
// at a GRE packet at all; less it drops in silence, as it does other versions.
const shortestGRE = 12

func (w *walk) serveGRE(s *station, e *Endpoint, from netip.Addr) {
	if e.GRE.State == Absent {
		w.failProtocol(s, from)
		return
	}
	h, ok := readGRE(w.segment())
	if !ok || len(w.segment()) < shortestGRE {
		w.network.counts.Refused++
		return
	}
	switch {
	case e.GRE.State == Mute:
	case e.GRE.State == NoTunnel, e.GRE.Key != nil && (!h.hasKey || *e.GRE.Key != h.key):
		w.failPort(s, from)
	default:
		w.decapsulate(s, e, from, h)
	}
}

// decapsulate treats the inner packet as the host would treat one that came
// in by any other link: what is for the host it answers, what is not it
// forwards.
func (w *walk) decapsulate(s *station, e *Endpoint, from netip.Addr, h greHeader) {
	// A copy, since the answer must not share bytes with the probe.
	inner, ok := readDatagram(bytes.Clone(w.segment()[h.length:]))
	if !ok || inner.ipv6 != (h.payload == etherIPv6) || !inner.ipv6 && h.payload != etherIPv4 {
		w.network.counts.Refused++
		return
	}
	home := inner.source()
	var out []byte
	var r reply
	switch inner.target() {
	case w.target(), w.probed:
		if e.ICMP == EchoSilent || inner.kind() != ICMP || !inner.whole() || !isEchoRequest(inner.segment(), inner.ipv6) {
			return
		}
		if r, ok = w.prepare(s); !ok {
			return
		}
		envelope := w.envelope(r, inner.target(), inner.protocol)
		envelope.target = home
		packet, message := newPacket(envelope, len(inner.segment()))
		writeEchoReply(packet, message, inner.segment(), inner.protocol)
		out = packet
	case w.prober:
		// The tunnel endpoint takes one, and so does every router on the way
		// home, unless they see only a tunnel.
		hops := w.passed + 1
		if e.GRE.State == TunnelledBack {
			hops = 1
		}
		if int(inner.ttl()) <= hops {
			return
		}
		if r, ok = w.prepare(s); !ok {
			return
		}
		inner.setTTL(inner.ttl() - uint8(hops))
		if !inner.ipv6 {
			sealHeader(inner.bytes)
		}
		out = inner.bytes
	default:
		return // for somebody else: it never comes by the prober
	}
	if e.GRE.State == TunnelledBack {
		out = w.encapsulate(r, from, h, out)
	}
	w.deliver(r, out)
}

// encapsulate sends a packet back through the tunnel that h came by.
func (w *walk) encapsulate(r reply, from netip.Addr, h greHeader, inner []byte) []byte {
	length := 4
	if h.hasKey {
		length = 8
	}
	packet, segment := newPacket(w.envelope(r, from, protoGRE), length+len(inner))
	binary.BigEndian.PutUint16(segment[2:], h.payload)
	if h.hasKey {
		segment[0] = greKey
		binary.BigEndian.PutUint32(segment[4:], h.key)
	}
	copy(segment[length:], inner)
	return packet
}
