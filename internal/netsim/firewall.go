package netsim

import (
	"encoding/binary"
	"net/netip"
)

// Firewall is a stateful firewall on the prober's link, and what it makes of
// several SYNs of one connection.
type Firewall uint8

// The firewalls. OldConntrack is that of Linux before 6.1 (nf_conntrack_proto_tcp.c,
// tcp_in_window): once a SYN has gone out whose sequence number is more than
// 66,000 ahead of what an answer acknowledges, the answer is INVALID and
// dropped. PacketFilter is pf of OpenBSD and FreeBSD (pf_tcp_track_full): a SYN
// whose number is more than 67,035 from the first one's is dropped.
const (
	NoFirewall Firewall = iota
	OldConntrack
	PacketFilter
)

// UnmarshalText reads none, conntrack or pf.
func (f *Firewall) UnmarshalText(text []byte) error {
	return pick(f, text, map[string]Firewall{"none": NoFirewall, "conntrack": OldConntrack, "pf": PacketFilter})
}

const (
	conntrackWindow = 66000         // MAXACKWINCONST
	pfWindow        = 0xffff + 1500 // MAXACKWINDOW
)

// firewall is a Firewall at work.
type firewall struct {
	rule  Firewall
	flows map[connection]tracked
}

// tracked is what a firewall knows of a connection.
type tracked struct{ first, highest uint32 }

func newFirewall(rule Firewall) *firewall {
	return &firewall{rule: rule, flows: make(map[connection]tracked)}
}

// out reports whether a packet of the host passes.
func (f *firewall) out(packet []byte) bool {
	d, segment := tcpSegment(packet)
	if f.rule == NoFirewall || segment == nil {
		return true
	}
	c := connectionOf(d.source(), d.target(), segment)
	sequence := binary.BigEndian.Uint32(segment[4:])
	t, known := f.flows[c]
	switch distance := int32(sequence - t.first); {
	case !known:
		t = tracked{first: sequence, highest: sequence}
	case f.rule == PacketFilter && (distance > pfWindow || distance < -pfWindow):
		return false
	case int32(sequence-t.highest) > 0:
		t.highest = sequence
	}
	f.flows[c] = t
	return true
}

// in reports whether a packet to the host passes.
func (f *firewall) in(packet []byte) bool {
	d, segment := tcpSegment(packet)
	if f.rule != OldConntrack || segment == nil || segment[13]&flagACK == 0 {
		return true
	}
	reversed := append(append([]byte(nil), segment[2:4]...), segment[:2]...)
	t, known := f.flows[connectionOf(d.target(), d.source(), reversed)]
	acknowledged := binary.BigEndian.Uint32(segment[8:])
	return known && int32(t.highest+1-acknowledged) <= conntrackWindow
}

// tcpSegment returns the TCP segment of a packet, nil when it is of another
// protocol.
func tcpSegment(packet []byte) (datagram, []byte) {
	d, ok := readDatagram(packet)
	if !ok || d.kind() != TCP || len(d.segment()) < tcpHeader {
		return d, nil
	}
	return d, d.segment()
}

func connectionOf(peer, local netip.Addr, segment []byte) connection {
	return connection{peer, local, binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])}
}
