package rawsock

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
)

// trial describes a packet to craft; payload is its last part.
type trial struct {
	from, to netip.Addr
	tos      uint8
	ttl      uint8 // 0 means 64
	payload  []byte
}

// number returns a payload that names a packet.
func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

func (p trial) craft(t testing.TB, protocol layers.IPProtocol, above ...gopacket.SerializableLayer) []byte {
	t.Helper()
	if p.ttl == 0 {
		p.ttl = 64
	}
	var network gopacket.SerializableLayer
	if p.to.Is4() {
		network = &layers.IPv4{
			Version: 4, IHL: 5, Id: 1, TTL: p.ttl, TOS: p.tos, Protocol: protocol,
			SrcIP: p.from.AsSlice(), DstIP: p.to.AsSlice(),
		}
	} else {
		network = &layers.IPv6{
			Version: 6, HopLimit: p.ttl, TrafficClass: p.tos, NextHeader: protocol,
			SrcIP: p.from.AsSlice(), DstIP: p.to.AsSlice(),
		}
	}
	for _, layer := range above {
		if l, ok := layer.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := l.SetNetworkLayerForChecksum(network.(gopacket.NetworkLayer)); err != nil {
				t.Fatal(err)
			}
		}
	}
	buffer := gopacket.NewSerializeBuffer()
	all := append([]gopacket.SerializableLayer{network}, above...)
	all = append(all, gopacket.Payload(p.payload))
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, all...); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// icmp crafts an ICMP message of the family at hand.
func (p trial) icmp(t testing.TB, type4, type6 uint8) []byte {
	t.Helper()
	if p.to.Is4() {
		return p.craft(t, layers.IPProtocolICMPv4, &layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(type4, 0)})
	}
	p.payload = append(make([]byte, 4), p.payload...) // identifier and sequence, or unused
	return p.craft(t, layers.IPProtocolICMPv6, &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(type6, 0)})
}

// echoReply crafts what nobody answers.
func (p trial) echoReply(t testing.TB) []byte {
	t.Helper()
	return p.icmp(t, layers.ICMPv4TypeEchoReply, layers.ICMPv6TypeEchoReply)
}

func (p trial) udp(t testing.TB, from, to uint16) []byte {
	t.Helper()
	return p.craft(t, layers.IPProtocolUDP, &layers.UDP{SrcPort: layers.UDPPort(from), DstPort: layers.UDPPort(to)})
}

// tcp crafts a segment with the flags named: S, A, R, F, P.
func (p trial) tcp(t testing.TB, from, to uint16, flags string) []byte {
	t.Helper()
	segment := &layers.TCP{SrcPort: layers.TCPPort(from), DstPort: layers.TCPPort(to), Window: 1024}
	for _, flag := range flags {
		switch flag {
		case 'S':
			segment.SYN = true
		case 'A':
			segment.ACK = true
		case 'R':
			segment.RST = true
		case 'F':
			segment.FIN = true
		case 'P':
			segment.PSH = true
		}
	}
	return p.craft(t, layers.IPProtocolTCP, segment)
}

func (p trial) gre(t testing.TB) []byte {
	t.Helper()
	return p.craft(t, layers.IPProtocolGRE, &layers.GRE{Protocol: layers.EthernetTypeIPv4, KeyPresent: true, Key: 7})
}
