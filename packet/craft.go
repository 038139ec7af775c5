package packet

import (
	"bytes"

	"github.com/google/gopacket"
)

// craft serialises the packet of a flow with everything that differs between
// its probes left 0, and without its segment's checksum.
func craft(flow *Flow) ([]byte, error) {
	row, at := flow.Type.row(), family(flow.Source.Is6())
	stack := []gopacket.SerializableLayer{ipHeader(flow, false, row.protocol[at], 0)}
	if row.tunnel != direct {
		etherType := [...]uint16{etherTypeIPv4, etherTypeIPv6}[at]
		stack = append(stack, &greKeyed{protocol: etherType, key: flow.Key}, ipHeader(flow, row.tunnel == homeward, row.codec.protocol[at], innerTTL))
	}
	segment := make(gopacket.Payload, segmentLen)
	row.codec.write(segment, *flow)
	stack = append(stack, segment)
	buffer := gopacket.NewSerializeBufferExpectedSize(MaxProbeLen, 0)
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{}, stack...); err != nil {
		return nil, err
	}
	return bytes.Clone(buffer.Bytes()), nil
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

// writeFill fills the payload of a segment from an offset on. Whoever wonders
// about a captured probe can read what sent it.
func writeFill(segment []byte, offset int) { copy(segment[offset:], fill) }
