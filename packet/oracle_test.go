package packet

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// oracle has a type's segment written by gopacket, lengths and checksums
// computed by it. A type needs one to be tested.
type oracle struct {
	// segment returns the segment with the given rest, which is what a probe has
	// behind its header.
	segment func(t testing.TB, flow Flow, m ProbeID, rest gopacket.Payload) []byte
	rest    int // bytes
	tagAt   int // offset of the tag in the segment
	tagBits int
}

var oracles = map[Type]oracle{
	ICMP:    {segment: echoOracle, rest: 32, tagAt: echoTag, tagBits: 64},
	GREEcho: {segment: echoOracle, rest: 32, tagAt: echoTag, tagBits: 64},
	UDP: {rest: 32, tagAt: udpTag, tagBits: 64, segment: func(t testing.TB, flow Flow, _ ProbeID, rest gopacket.Payload) []byte {
		layer := &layers.UDP{SrcPort: layers.UDPPort(flow.SourcePort), DstPort: layers.UDPPort(flow.TargetPort)}
		_ = layer.SetNetworkLayerForChecksum(networkOf(flow))
		return serialize(t, allOptions, layer, rest)
	}},
	TCP: {rest: 20, tagAt: tcpTimestamp, tagBits: 32, segment: func(t testing.TB, flow Flow, m ProbeID, rest gopacket.Payload) []byte {
		layer := &layers.TCP{SrcPort: layers.TCPPort(flow.SourcePort), DstPort: layers.TCPPort(flow.TargetPort), Seq: m.Sequence, SYN: true, Window: 64240, DataOffset: 10}
		_ = layer.SetNetworkLayerForChecksum(networkOf(flow))
		// The options as payload: the checksum does not tell them apart.
		return serialize(t, gopacket.SerializeOptions{ComputeChecksums: true}, layer, rest)
	}},
	GRE: {rest: 32, tagAt: keepaliveTag, tagBits: 64, segment: func(t testing.TB, flow Flow, m ProbeID, rest gopacket.Payload) []byte {
		number, tag := binary.BigEndian.AppendUint32(nil, m.Sequence), binary.BigEndian.AppendUint64(nil, m.Tag)
		if !bytes.HasPrefix(rest, append(number, tag...)) {
			t.Fatalf("keepalive payload is %x", rest)
		}
		return serialize(t, allOptions, &layers.GRE{KeyPresent: true, Key: flow.Key}, rest)
	}},
}

func echoOracle(t testing.TB, flow Flow, m ProbeID, rest gopacket.Payload) []byte {
	if flow.Source.Is4() {
		return serialize(t, allOptions, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: flow.EchoID, Seq: uint16(m.Sequence)}, rest)
	}
	layer := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
	_ = layer.SetNetworkLayerForChecksum(networkOf(flow))
	return serialize(t, allOptions, layer, &layers.ICMPv6Echo{Identifier: flow.EchoID, SeqNumber: uint16(m.Sequence)}, rest)
}

var allOptions = gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}

func serialize(t testing.TB, options gopacket.SerializeOptions, stack ...gopacket.SerializableLayer) []byte {
	t.Helper()
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, options, stack...); err != nil {
		t.Fatal(err)
	}
	return bytes.Clone(buffer.Bytes())
}

func networkOf(flow Flow) gopacket.NetworkLayer {
	if flow.Source.Is4() {
		return &layers.IPv4{SrcIP: flow.Source.AsSlice(), DstIP: flow.Target.AsSlice()}
	}
	return &layers.IPv6{SrcIP: flow.Source.AsSlice(), DstIP: flow.Target.AsSlice()}
}

// writeProbe has gopacket serialise a probe anew, from the probe's own payload.
func writeProbe(t testing.TB, flow Flow, m ProbeID, probe []byte) []byte {
	t.Helper()
	ip := func(protocol, ttl uint8, id uint16, source, target netip.Addr, body []byte) []byte {
		if flow.Source.Is4() {
			return serialize(t, allOptions, &layers.IPv4{Version: 4, TOS: flow.TOS, Id: id, Flags: layers.IPv4DontFragment, TTL: ttl, Protocol: layers.IPProtocol(protocol), SrcIP: source.AsSlice(), DstIP: target.AsSlice()}, gopacket.Payload(body))
		}
		return serialize(t, allOptions, &layers.IPv6{Version: 6, TrafficClass: flow.TOS, FlowLabel: flow.FlowLabel, NextHeader: layers.IPProtocol(protocol), HopLimit: ttl, SrcIP: source.AsSlice(), DstIP: target.AsSlice()}, gopacket.Payload(body))
	}
	o, ipv6 := oracles[flow.Type], flow.Source.Is6()
	if o.segment == nil {
		t.Fatalf("no oracle for %v", flow.Type)
	}
	etherType := layers.EthernetTypeIPv4
	var padding []byte
	switch {
	case ipv6:
		etherType = layers.EthernetTypeIPv6
	case flow.Type.Encapsulated():
		padding = make([]byte, min(m.TTL-1, MaxPadding))
		probe = probe[:len(probe)-len(padding)]
	}
	segment := o.segment(t, flow, m, gopacket.Payload(probe[len(probe)-o.rest:]))
	if !flow.Type.Encapsulated() {
		return ip(flow.Type.Protocol(ipv6), m.TTL, m.IPID, flow.Source, flow.Target, segment)
	}
	inner := ip(ICMP.Protocol(ipv6), 64, 0, flow.Source, flow.Target, segment)
	if flow.Type == GRE { // the keepalive goes home
		inner = ip(GRE.Protocol(ipv6), 64, 0, flow.Target, flow.Source, segment)
	}
	outer := serialize(t, allOptions, &layers.GRE{KeyPresent: true, Key: flow.Key, Protocol: etherType}, gopacket.Payload(append(inner, padding...)))
	return ip(GRE.Protocol(ipv6), m.TTL, m.IPID, flow.Source, flow.Target, outer)
}
