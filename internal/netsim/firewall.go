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
// dropped. PacketFilter is pf of OpenBSD and FreeBSD: a SYN whose number is more
// than 67,035 from the first one's is dropped (pf_tcp_track_full), and so is an
// ICMP error that quotes a number outside of the state, which before the target
// has answered is as good as the first SYN's own (pf_test_state_icmp).
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

// tracked is what a firewall knows of a connection: the sequence numbers of its
// first and highest SYN, and whether the target has answered with a window.
type tracked struct {
	first, highest uint32
	answered       bool
}

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
	if f.rule == PacketFilter && !f.quotesState(packet) {
		return false
	}
	d, segment := tcpSegment(packet)
	if f.rule == NoFirewall || segment == nil || segment[13]&flagACK == 0 {
		return true
	}
	c := connectionOf(d.target(), d.source(), append(append([]byte(nil), segment[2:4]...), segment[:2]...))
	t, known := f.flows[c]
	if !known {
		return false
	}
	t.answered = t.answered || segment[13]&flagSYN != 0
	f.flows[c] = t
	acknowledged := binary.BigEndian.Uint32(segment[8:])
	return f.rule != OldConntrack || int32(t.highest+1-acknowledged) <= conntrackWindow
}

// quotesState reports whether pf passes a packet as far as it is an ICMP error
// about TCP: src->seqlo - dst->max_win <= seq <= src->seqhi, where seqlo is
// behind the latest SYN, seqhi two ahead of the first, and max_win 1.
func (f *firewall) quotesState(packet []byte) bool {
	d, ok := readDatagram(packet)
	if !ok || d.kind() != ICMP || len(d.segment()) < icmpHeader {
		return true
	}
	quoted, segment := tcpQuote(d.segment()[icmpHeader:])
	if segment == nil {
		return true
	}
	t, known := f.flows[connectionOf(quoted.source(), quoted.target(), segment)]
	sequence := binary.BigEndian.Uint32(segment[4:])
	return known && (t.answered || int32(t.first+2-sequence) >= 0 && int32(sequence-t.highest) >= 0)
}

// tcpQuote returns the quoted packet and its first 8 bytes behind the IP header;
// nil when it is of another protocol.
func tcpQuote(quote []byte) (datagram, []byte) {
	d := datagram{bytes: quote, transport: headerIPv4}
	switch {
	case len(quote) >= headerIPv6+8 && quote[0]>>4 == 6 && quote[6] == protoTCP:
		d.ipv6, d.transport = true, headerIPv6
	case len(quote) >= headerIPv4+8 && quote[0] == 0x45 && quote[9] == protoTCP:
	default:
		return d, nil
	}
	return d, d.segment()[:8]
}

// tcpSegment returns the TCP segment of a packet, nil when it is of another
// protocol.
func tcpSegment(packet []byte) (datagram, []byte) {
	d, ok := readDatagram(packet)
	if !ok || d.kind() != TCP || len(d.segment()) < tcpHeader {
		return d, nil
	}
	segment := d.segment()
	return d, segment
}

func connectionOf(peer, local netip.Addr, segment []byte) connection {
	return connection{peer, local, binary.BigEndian.Uint16(segment), binary.BigEndian.Uint16(segment[2:])}
}
