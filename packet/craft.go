package packet

import (
	"bytes"
	"encoding/binary"

	"github.com/google/gopacket"
)

// craft serialises the packet of a flow with everything that differs between
// its probes left 0, and without its segment's checksum.
func craft(flow *Flow) ([]byte, error) {
	protocol := segmentProtocol(flow.Type, flow.Source.Is6())
	var stack []gopacket.SerializableLayer
	switch flow.Type {
	case ICMP, UDP, TCP:
		stack = append(stack, ipHeader(flow, false, protocol, 0))
	case GRE, GREEcho:
		etherType := uint16(etherTypeIPv4)
		if flow.Source.Is6() {
			etherType = etherTypeIPv6
		}
		// The keepalive goes home when a tunnel endpoint unwraps it; the echo
		// request goes on to the target.
		stack = append(stack, ipHeader(flow, false, protocolGRE, 0),
			&greKeyed{protocol: etherType, key: flow.Key}, ipHeader(flow, flow.Type == GRE, protocol, innerTTL))
	}
	stack = append(stack, segmentLayers(flow)...)
	buffer := gopacket.NewSerializeBufferExpectedSize(MaxProbeLen, 0)
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{}, stack...); err != nil {
		return nil, err
	}
	return bytes.Clone(buffer.Bytes()), nil
}

// segmentProtocol is the protocol number of the segment that names the probe.
func segmentProtocol(t Type, ipv6 bool) uint8 {
	switch t {
	case UDP:
		return protocolUDP
	case TCP:
		return protocolTCP
	case GRE:
		return protocolGRE
	}
	if ipv6 {
		return protocolICMPv6
	}
	return protocolICMP
}

// ipHeader makes the header of the flow's family, from target to source when
// homeward.
func ipHeader(flow *Flow, homeward bool, protocol, ttl uint8) gopacket.SerializableLayer {
	source, target := flow.Source, flow.Target
	if homeward {
		source, target = target, source
	}
	if source.Is6() {
		return &ipv6Header{class: flow.TOS, flowLabel: flow.FlowLabel, nextHeader: protocol, hopLimit: ttl, source: source, target: target}
	}
	return &ipv4Header{tos: flow.TOS, ttl: ttl, protocol: protocol, source: source, target: target}
}

// segmentLayers makes the segment of a flow, segmentLen bytes.
func segmentLayers(flow *Flow) []gopacket.SerializableLayer {
	switch flow.Type {
	case UDP:
		return []gopacket.SerializableLayer{&udpHeader{source: flow.SourcePort, target: flow.TargetPort}, payload(udpFill - udpHeaderLen)}
	case TCP:
		return []gopacket.SerializableLayer{&synHeader{source: flow.SourcePort, target: flow.TargetPort}, synOptions(flow)}
	case GRE:
		return []gopacket.SerializableLayer{&greKeyed{protocol: greKeepalive, key: flow.Key}, payload(keepaliveFill - greHeaderLen)}
	}
	kind := uint8(icmpEchoRequest)
	if flow.Source.Is6() {
		kind = icmpv6EchoRequest
	}
	return []gopacket.SerializableLayer{&echoHeader{kind: kind, id: flow.EchoID}, payload(echoFill - icmpHeaderLen)}
}

// synOptions are those of Linux, 20 bytes: maximum segment size, SACK
// permitted, timestamps, NOP, window scale (RFC 9293 section 3.2, RFC 2018
// section 2, RFC 7323 sections 2.2 and 3.2).
func synOptions(flow *Flow) gopacket.Payload {
	mss := uint16(synMSSv4)
	if flow.Source.Is6() {
		mss = synMSSv6
	}
	b := binary.BigEndian.AppendUint16([]byte{2, 4}, mss)
	b = append(b, 4, 2, 8, 10)
	return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 3, synWindowScale) // Build writes the timestamp value
}

// payload is payloadLen bytes: blank bytes for what Build writes,
// then fill.
func payload(blank int) gopacket.Payload {
	b := make([]byte, payloadLen)
	copy(b[blank:], fill)
	return b
}
