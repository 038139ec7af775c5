package netsim

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
)

// ICMP echo types: RFC 792, RFC 4443.
const (
	echoRequestV4 = 8
	echoReplyV4   = 0
	echoRequestV6 = 128
	echoReplyV6   = 129
)

// Header lengths and codes.
const (
	udpHeader        = 8
	tcpHeader        = 20
	portCodeV4       = 3
	portCodeV6       = 4
	protocolCodeV4   = 2
	nextHeaderCode   = 1 // of an ICMPv6 parameter problem: unrecognised next header
	nextHeaderOffset = 6 // of the field in an IPv6 header
)

// serve lets an endpoint answer the packet, from the given address.
func (w *walk) serve(s *station, e *Endpoint, from netip.Addr) {
	if w.later {
		return
	}
	if !w.whole() {
		w.network.counts.Refused++
		return
	}
	switch w.kind() {
	case ICMP:
		w.serveEcho(s, e, from)
	case TCP:
		w.serveTCP(s, &e.TCP, from)
	case UDP:
		w.serveUDP(s, &e.UDP, from)
	case GRE:
		w.serveGRE(s, e, from)
	default:
		w.failProtocol(s, from)
	}
}

// failProtocol says that the host does not speak the packet's protocol.
func (w *walk) failProtocol(s *station, from netip.Addr) {
	if w.ipv6 {
		w.fail(s, parameterProblem(true, nextHeaderCode, nextHeaderOffset), from)
		return
	}
	w.fail(s, unreachable(false, protocolCodeV4), from)
}

func (w *walk) failPort(s *station, from netip.Addr) {
	code := uint8(portCodeV4)
	if w.ipv6 {
		code = portCodeV6
	}
	w.fail(s, unreachable(w.ipv6, code), from)
}

func (w *walk) serveEcho(s *station, e *Endpoint, from netip.Addr) {
	request, protocol := w.segment(), w.protocol
	if e.ICMP == EchoSilent || !isEchoRequest(request, w.ipv6) {
		return
	}
	r, ok := w.prepare(s)
	if !ok {
		return
	}
	switch e.EchoData {
	case ZeroData:
		request = append(bytes.Clone(request[:icmpHeader]), make([]byte, len(request)-icmpHeader)...)
	case NoData:
		request = request[:icmpHeader]
	}
	packet, message := newPacket(w.envelope(r, from, protocol), len(request))
	writeEchoReply(packet, message, request, protocol)
	w.deliver(r, packet)
}

func isEchoRequest(message []byte, ipv6 bool) bool {
	if len(message) < icmpHeader || message[1] != 0 {
		return false
	}
	if ipv6 {
		return message[0] == echoRequestV6
	}
	return message[0] == echoRequestV4
}

func writeEchoReply(packet, message, request []byte, protocol uint8) {
	copy(message, request)
	message[0] = echoReplyV4
	if protocol == protoICMPv6 {
		message[0] = echoReplyV6
	}
	seal(packet, message, protocol)
}

func (w *walk) serveUDP(s *station, ports *UDPPorts, from netip.Addr) {
	probe := w.segment()
	switch ports.State(binary.BigEndian.Uint16(probe[2:])) {
	case Closed:
		w.failPort(s, from)
		return
	case Filtered:
		return
	}
	r, ok := w.prepare(s)
	if !ok {
		return
	}
	payload := []byte(ports.Answer)
	if payload == nil {
		payload = probe[udpHeader:binary.BigEndian.Uint16(probe[4:])]
	}
	packet, answer := newPacket(w.envelope(r, from, protoUDP), udpHeader+len(payload))
	copy(answer, probe[2:4])
	w.putProberPort(answer[2:])
	binary.BigEndian.PutUint16(answer[4:], uint16(len(answer)))
	copy(answer[udpHeader:], payload)
	seal(packet, answer, protoUDP)
	w.deliver(r, packet)
}

// proberPort returns the port that an answer goes to: what the packet came
// from, with the changes of restoring routers taken back.
func (w *walk) proberPort() uint16 {
	port := w.sourcePort()
	for _, v := range slices.Backward(w.undo) {
		if v.port != 0 {
			port = v.port
		}
	}
	return port
}

func (w *walk) putProberPort(into []byte) { binary.BigEndian.PutUint16(into, w.proberPort()) }

// TCP flags: RFC 9293 section 3.1.
const (
	flagFIN = 0x01
	flagSYN = 0x02
	flagRST = 0x04
	flagACK = 0x10
)

// serveTCP answers a segment as a host without connections does (RFC 9293
// section 3.10.7).
func (w *walk) serveTCP(s *station, ports *TCPPorts, from netip.Addr) {
	segment := w.segment()
	if len(segment) < tcpHeader || int(segment[12]>>4)*4 < tcpHeader || int(segment[12]>>4)*4 > len(segment) {
		w.network.counts.Refused++
		return
	}
	flags, state := segment[13], ports.State(binary.BigEndian.Uint16(segment[2:]))
	if flags&flagRST != 0 || state == Filtered {
		return
	}
	r, ok := w.prepare(s)
	if !ok {
		return
	}
	sequence, acknowledged := binary.BigEndian.Uint32(segment[4:]), binary.BigEndian.Uint32(segment[8:])
	var a tcpAnswer
	switch {
	case flags&flagACK != 0:
		a = tcpAnswer{sequence: acknowledged, flags: flagRST}
	case state == Closed || flags&flagSYN == 0:
		a = tcpAnswer{acknowledgement: sequence + segmentLength(segment), flags: flagRST | flagACK}
		if ports.BareReset {
			a = tcpAnswer{flags: flagRST}
		}
	default:
		// By the prober's own port: a Rewrite that gives all flows one port
		// stands for a translator that gives each its own.
		c := connection{w.prober, from, w.proberPort(), binary.BigEndian.Uint16(segment[2:])}
		if a, ok = s.listen(c, sequence, w.sent+w.out, w.out+w.home); !ok {
			return
		}
		if a.flags&flagSYN != 0 {
			a.options = maximumSegment(w.ipv6)
		}
		if state == Tarpit {
			a.window = 0
		}
	}
	packet, answer := newPacket(w.envelope(r, from, protoTCP), tcpHeader+len(a.options))
	copy(answer, segment[2:4])
	w.putProberPort(answer[2:])
	a.write(answer)
	seal(packet, answer, protoTCP)
	w.deliver(r, packet)
}

// segmentLength is the sequence space that a segment takes.
func segmentLength(segment []byte) uint32 {
	length := uint32(len(segment) - int(segment[12]>>4)*4)
	if segment[13]&flagSYN != 0 {
		length++
	}
	if segment[13]&flagFIN != 0 {
		length++
	}
	return length
}

type tcpAnswer struct {
	sequence, acknowledgement uint32
	flags                     uint8
	window                    uint16
	options                   []byte
}

func (a *tcpAnswer) write(header []byte) {
	binary.BigEndian.PutUint32(header[4:], a.sequence)
	binary.BigEndian.PutUint32(header[8:], a.acknowledgement)
	header[12] = uint8(tcpHeader+len(a.options)) / 4 << 4
	header[13] = a.flags
	binary.BigEndian.PutUint16(header[14:], a.window)
	copy(header[tcpHeader:], a.options)
}

// maximumSegment is the MSS option of a host on Ethernet (RFC 6691).
func maximumSegment(ipv6 bool) []byte {
	if ipv6 {
		return []byte{2, 4, 1440 >> 8, 1440 & 0xff}
	}
	return []byte{2, 4, 1460 >> 8, 1460 & 0xff}
}
