package netsim

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// failure is the kind of an ICMP error, in the numbers of its IP version.
type failure struct {
	kind, code uint8
	rest       uint32 // the four bytes behind the checksum
	extensible bool   // RFC 4884 section 4 gives it a length field
}

// ICMP error types: RFC 792, RFC 4443.
const (
	unreachableV4      = 3
	timeExceededV4     = 11
	parameterProblemV4 = 12
	unreachableV6      = 1
	packetTooBigV6     = 2
	timeExceededV6     = 3
	parameterProblemV6 = 4
	fragmentationCode  = 4 // of unreachableV4
)

const (
	icmpHeader  = 8
	maxErrorV4  = 576  // RFC 1812 section 4.3.2.3
	maxErrorV6  = 1280 // RFC 4443 section 2.4 (c)
	paddedQuote = 128  // RFC 4884 section 4: the least in front of extensions
)

func unreachable(ipv6 bool, code uint8) failure {
	if ipv6 {
		return failure{kind: unreachableV6, code: code, extensible: true}
	}
	return failure{kind: unreachableV4, code: code, extensible: true}
}

func timeExceeded(ipv6 bool, code uint8) failure {
	if ipv6 {
		return failure{kind: timeExceededV6, code: code, extensible: true}
	}
	return failure{kind: timeExceededV4, code: code, extensible: true}
}

func tooBig(ipv6 bool, mtu uint16) failure {
	if ipv6 {
		return failure{kind: packetTooBigV6, rest: uint32(mtu)}
	}
	return failure{kind: unreachableV4, code: fragmentationCode, rest: uint32(mtu), extensible: true}
}

func parameterProblem(ipv6 bool, code, pointer uint8) failure {
	if ipv6 {
		return failure{kind: parameterProblemV6, code: code, rest: uint32(pointer)}
	}
	return failure{kind: parameterProblemV4, code: code, rest: uint32(pointer) << 24, extensible: true}
}

func (r *Reject) failure(ipv6 bool) failure {
	code := r.Code
	if ipv6 && r.Code6 != nil {
		code = *r.Code6
	}
	switch r.Kind {
	case TooBig:
		return tooBig(ipv6, r.MTU)
	case ParameterProblem:
		return parameterProblem(ipv6, code, r.Pointer)
	case TimeExceeded:
		return timeExceeded(ipv6, code)
	}
	f := unreachable(ipv6, code)
	if !ipv6 && code == fragmentationCode {
		f.rest = uint32(r.MTU)
	}
	return f
}

// fail answers the packet with an ICMP error from the given address, or from
// the node's own when that is zero. Later fragments get none (RFC 1122
// section 3.2.2).
func (w *walk) fail(s *station, f failure, from netip.Addr) {
	if w.later {
		return
	}
	r, ok := w.prepare(s)
	if !ok {
		return
	}
	if !from.IsValid() {
		from = s.address(w.ipv6)
	}
	protocol := uint8(protoICMP)
	if w.ipv6 {
		protocol = protoICMPv6
	}
	var extensions []byte
	if f.extensible {
		extensions = s.node.extensions(w.ipv6)
	}
	quote, padded := w.quote(&s.node.Quote, len(extensions))
	packet, message := newPacket(w.envelope(r, from, protocol), icmpHeader+padded+len(extensions))
	message[0], message[1] = f.kind, f.code
	binary.BigEndian.PutUint32(message[4:], f.rest)
	if len(extensions) > 0 {
		setLengthField(message, w.ipv6, padded, s.node.Quote.LengthField)
	}
	copy(message[icmpHeader:], quote)
	copy(message[icmpHeader+padded:], extensions)
	seal(packet, message, protocol)
	w.deliver(r, packet)
}

// setLengthField says how long the quote is: in 32-bit words for IPv4, 64-bit
// words for IPv6 (RFC 4884 sections 4.1 to 4.5).
func setLengthField(message []byte, ipv6 bool, padded int, field LengthField) {
	at, length := 5, padded/4
	if ipv6 {
		at, length = 4, padded/8
	}
	switch {
	case field == ZeroLength:
		length = 0
	case field != RightLength:
		length = int(field)
	}
	message[at] = uint8(length)
}

// quote returns the bytes of the packet that an error carries, and the length
// that they are to be padded to.
func (w *walk) quote(q *Quote, extensions int) (quoted []byte, padded int) {
	w.network.quoted = append(w.network.quoted[:0], w.bytes...)
	d := w.datagram
	d.bytes = w.network.quoted
	for _, v := range slices.Backward(w.undo) {
		v.restore(&d)
	}
	q.rewrite(&d)
	if q.Options > 0 {
		d.bytes = withOptions(d.bytes, d.ipv6, q.Options)
		d.transport += q.Options
	}

	limit, unit := maxErrorV4-headerIPv4-icmpHeader, 4
	if d.ipv6 {
		limit, unit = maxErrorV6-headerIPv6-icmpHeader, 8
	}
	// Length counts from behind the header; IPv6 extension headers are behind it.
	length := len(d.bytes)
	if q.Length > 0 {
		length = min(length, d.header()+int(q.Length))
	}
	length = min(length, limit-extensions)
	if extensions == 0 {
		return d.bytes[:length], length
	}
	if q.LengthField == ZeroLength {
		length = min(length, paddedQuote)
	}
	padded = max(paddedQuote, length)
	if padded%unit != 0 {
		padded += unit - padded%unit
	}
	if padded > limit-extensions {
		padded = (limit - extensions) / unit * unit
		length = min(length, padded)
	}
	return d.bytes[:length], padded
}

// header is the length of the IP header, without IPv6 extension headers.
func (d *datagram) header() int {
	if d.ipv6 {
		return headerIPv6
	}
	return d.transport
}

// withOptions returns the packet with that many bytes of options in its IPv4
// header, or in a hop-by-hop header behind its IPv6 header. IPv6 counts them
// as payload, IPv4 as header.
func withOptions(b []byte, ipv6 bool, length int) []byte {
	header := headerIPv6
	options := make([]byte, length)
	if ipv6 {
		// Next header, length in 8 bytes beyond the first 8, one PadN option.
		options[0], options[1], options[2], options[3] = b[6], uint8(length/8-1), 1, uint8(length-4)
	} else {
		header = int(b[0]&0xf) * 4
		for i := range options {
			options[i] = 1
		}
	}
	out := slices.Concat(b[:header], options, b[header:])
	if ipv6 {
		out[6] = protoHopByHop
		binary.BigEndian.PutUint16(out[4:], uint16(len(out)-headerIPv6))
	} else {
		out[0] += uint8(length / 4)
		binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
		sealHeader(out)
	}
	return out
}

func (u undo) restore(d *datagram) {
	if u.source.IsValid() {
		d.setSource(u.source)
	}
	if u.target.IsValid() {
		d.setTarget(u.target)
	}
	if u.port != 0 {
		d.setSourcePort(u.port)
	}
}

// rewrite changes a quote as a node's Quote says, and sets its IPv4 header
// checksum.
func (q *Quote) rewrite(d *datagram) {
	if addr := q.Source.For(d.ipv6); addr.IsValid() {
		d.setSource(addr)
	}
	if addr := q.Destination.For(d.ipv6); addr.IsValid() {
		d.setTarget(addr)
	}
	if q.TTL != nil {
		d.setTTL(*q.TTL)
	}
	if q.TOS != nil {
		d.setTOS(*q.TOS)
	}
	if q.IPID != nil {
		d.setIPID(*q.IPID)
	}
	if d.ipv6 {
		return
	}
	sealHeader(d.bytes)
	if q.Checksum != nil {
		binary.BigEndian.PutUint16(d.bytes[10:], *q.Checksum)
	}
}
