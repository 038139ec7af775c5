package packet

import (
	"encoding/binary"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// craft serialises the packet of a flow with everything that differs between
// its probes left 0.
func craft(flow *Flow) ([]byte, error) {
	protocol := layers.IPProtocol(segmentProtocol(flow.Type, flow.Source.Is6()))
	var stack []gopacket.SerializableLayer
	switch flow.Type {
	case ICMP, UDP, TCP:
		ip, network := ipHeader(flow, false, protocol, 0)
		stack = append([]gopacket.SerializableLayer{ip}, segmentLayers(flow, network)...)
	case GRE, GREEcho:
		etherType := layers.EthernetTypeIPv4
		if flow.Source.Is6() {
			etherType = layers.EthernetTypeIPv6
		}
		// The keepalive goes home when a tunnel endpoint unwraps it; the echo
		// request goes on to the target.
		outer, _ := ipHeader(flow, false, layers.IPProtocolGRE, 0)
		inner, network := ipHeader(flow, flow.Type == GRE, protocol, innerTTL)
		tunnel := &layers.GRE{KeyPresent: true, Key: flow.Key, Protocol: etherType}
		stack = append([]gopacket.SerializableLayer{outer, tunnel, inner}, segmentLayers(flow, network)...)
	}
	buffer := gopacket.NewSerializeBufferExpectedSize(MaxProbeLen, 0)
	options := gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}
	if err := gopacket.SerializeLayers(buffer, options, stack...); err != nil {
		return nil, err
	}
	b := make([]byte, len(buffer.Bytes()))
	copy(b, buffer.Bytes())
	return b, nil
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
// homeward. It returns the same layer twice: gopacket has no type that can be
// both serialised and taken into a checksum.
func ipHeader(flow *Flow, homeward bool, protocol layers.IPProtocol, ttl uint8) (gopacket.SerializableLayer, gopacket.NetworkLayer) {
	source, target := flow.Source.AsSlice(), flow.Target.AsSlice()
	if homeward {
		source, target = target, source
	}
	if flow.Source.Is6() {
		ip := &layers.IPv6{
			Version: 6, TrafficClass: flow.TOS, FlowLabel: flow.FlowLabel,
			NextHeader: protocol, HopLimit: ttl, SrcIP: source, DstIP: target,
		}
		return ip, ip
	}
	ip := &layers.IPv4{
		Version: 4, TOS: flow.TOS, Flags: layers.IPv4DontFragment,
		TTL: ttl, Protocol: protocol, SrcIP: source, DstIP: target,
	}
	return ip, ip
}

// segmentLayers makes the segment of a flow, segmentLen bytes.
func segmentLayers(flow *Flow, network gopacket.NetworkLayer) []gopacket.SerializableLayer {
	switch flow.Type {
	case UDP:
		udp := &layers.UDP{SrcPort: layers.UDPPort(flow.SourcePort), DstPort: layers.UDPPort(flow.TargetPort)}
		_ = udp.SetNetworkLayerForChecksum(network) // fails only for other layer types
		return []gopacket.SerializableLayer{udp, payload(udpFill - udpHeaderLen)}
	case TCP:
		tcp := synSegment(flow)
		_ = tcp.SetNetworkLayerForChecksum(network)
		return []gopacket.SerializableLayer{tcp}
	case GRE:
		keepalive := &layers.GRE{KeyPresent: true, Key: flow.Key, Protocol: greKeepalive}
		return []gopacket.SerializableLayer{keepalive, payload(keepaliveFill - greHeaderLen)}
	}
	if flow.Source.Is4() {
		return []gopacket.SerializableLayer{
			&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(icmpEchoRequest, 0), Id: flow.EchoID},
			payload(echoFill - icmpHeaderLen),
		}
	}
	icmp := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(icmpv6EchoRequest, 0)}
	_ = icmp.SetNetworkLayerForChecksum(network)
	return []gopacket.SerializableLayer{icmp, &layers.ICMPv6Echo{Identifier: flow.EchoID}, payload(echoFill - icmpHeaderLen)}
}

// synSegment is a SYN with Linux's options, 40 bytes.
func synSegment(flow *Flow) *layers.TCP {
	mss := uint16(synMSSv4)
	if flow.Source.Is6() {
		mss = synMSSv6
	}
	// A constant timestamp value per flow: were it to go back between two
	// probes, a listener that still holds the first would drop the second
	// (RFC 7323 section 5.3).
	timestamps := make([]byte, 8)
	binary.BigEndian.PutUint16(timestamps, flow.SourcePort)
	binary.BigEndian.PutUint16(timestamps[2:], flow.TargetPort)
	return &layers.TCP{
		SrcPort: layers.TCPPort(flow.SourcePort), DstPort: layers.TCPPort(flow.TargetPort),
		SYN: true, Window: synWindow,
		Options: []layers.TCPOption{
			{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: binary.BigEndian.AppendUint16(nil, mss)},
			{OptionType: layers.TCPOptionKindSACKPermitted, OptionLength: 2},
			{OptionType: layers.TCPOptionKindTimestamps, OptionLength: 10, OptionData: timestamps},
			{OptionType: layers.TCPOptionKindNop, OptionLength: 1},
			{OptionType: layers.TCPOptionKindWindowScale, OptionLength: 3, OptionData: []byte{synWindowScale}},
		},
	}
}

// payload is payloadLen bytes: blank bytes for what Build writes,
// then fill.
func payload(blank int) gopacket.Payload {
	b := make([]byte, payloadLen)
	copy(b[blank:], fill)
	return b
}
