package netsim_test

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"probe-agent/internal/netsim"
)

// probe is a traceroute probe, crafted by gopacket: neither netsim's own code
// nor package packet has a hand in it.
type probe struct {
	kind    string // icmp, tcp, udp, gre, gre-echo
	ttl     uint8
	flow    uint16 // echo id, source port, low half of the GRE key
	seq     uint16
	port    uint16 // destination of tcp and udp; default 80, 33434
	payload int    // bytes
	target  netip.Addr
	flags   string // of tcp: default S
	noDF    bool
	mangle  func([]byte)
}

var (
	source = netsim.N(0x10001)
	target = netsim.N(0xff01)
)

func (p probe) bytes(t testing.TB, ipv6 bool) []byte {
	t.Helper()
	to := p.target
	if !to.IsValid() {
		to = target.For(ipv6)
	}
	from := source.For(ipv6)
	var stack []gopacket.SerializableLayer
	payload := gopacket.Payload(make([]byte, max(p.payload, 12)))
	switch p.kind {
	case "icmp":
		stack = append(echo(ipv6, p.flow, p.seq, from, to), payload)
	case "tcp":
		tcp := &layers.TCP{
			SrcPort: layers.TCPPort(33000 + p.flow), DstPort: layers.TCPPort(orDefault(p.port, 80)),
			Seq: uint32(p.seq) << 8, SYN: p.flags == "" || p.flags == "S", ACK: p.flags == "A", RST: p.flags == "R", Window: 1024,
		}
		stack = []gopacket.SerializableLayer{tcp}
	case "udp":
		udp := &layers.UDP{SrcPort: layers.UDPPort(33000 + p.flow), DstPort: layers.UDPPort(orDefault(p.port, 33434))}
		binary.BigEndian.PutUint16(payload, p.seq)
		stack = []gopacket.SerializableLayer{udp, payload}
	case "gre": // a keepalive: addressed from the target to us
		stack = append(gre(p.flow, ipv6), ip(ipv6, to, from, 64, layers.IPProtocolUDP, false),
			&layers.UDP{SrcPort: 1, DstPort: layers.UDPPort(p.seq)}, payload)
	case "gre-echo":
		stack = append(gre(p.flow, ipv6), ip(ipv6, from, to, 64, icmpProtocol(ipv6), false))
		stack = append(append(stack, echo(ipv6, p.flow, p.seq, from, to)...), payload)
	}
	protocol := map[string]layers.IPProtocol{
		"icmp": icmpProtocol(ipv6), "tcp": layers.IPProtocolTCP, "udp": layers.IPProtocolUDP,
		"gre": layers.IPProtocolGRE, "gre-echo": layers.IPProtocolGRE,
	}[p.kind]
	stack = append([]gopacket.SerializableLayer{ip(ipv6, from, to, p.ttl, protocol, !p.noDF)}, stack...)
	b := serialize(t, stack)
	if p.mangle != nil {
		p.mangle(b)
	}
	return b
}

func orDefault(port, otherwise uint16) uint16 {
	if port != 0 {
		return port
	}
	return otherwise
}

func icmpProtocol(ipv6 bool) layers.IPProtocol {
	if ipv6 {
		return layers.IPProtocolICMPv6
	}
	return layers.IPProtocolICMPv4
}

func ip(ipv6 bool, from, to netip.Addr, ttl uint8, protocol layers.IPProtocol, df bool) gopacket.SerializableLayer {
	if ipv6 {
		return &layers.IPv6{Version: 6, FlowLabel: 0x12345, NextHeader: protocol, HopLimit: ttl, SrcIP: net.IP(from.AsSlice()), DstIP: net.IP(to.AsSlice())}
	}
	header := &layers.IPv4{Version: 4, Id: 4711, TTL: ttl, Protocol: protocol, SrcIP: net.IP(from.AsSlice()), DstIP: net.IP(to.AsSlice())}
	if df {
		header.Flags = layers.IPv4DontFragment
	}
	return header
}

func echo(ipv6 bool, id, seq uint16, from, to netip.Addr) []gopacket.SerializableLayer {
	if ipv6 {
		header := &layers.ICMPv6{TypeCode: layers.CreateICMPv6TypeCode(128, 0)}
		_ = header.SetNetworkLayerForChecksum(ip(true, from, to, 64, layers.IPProtocolICMPv6, false).(*layers.IPv6))
		return []gopacket.SerializableLayer{header, &layers.ICMPv6Echo{Identifier: id, SeqNumber: seq}}
	}
	return []gopacket.SerializableLayer{&layers.ICMPv4{TypeCode: layers.CreateICMPv4TypeCode(8, 0), Id: id, Seq: seq}}
}

// gre is 8 bytes of RFC 2890 header: gopacket writes it right, keys included.
func gre(flow uint16, ipv6 bool) []gopacket.SerializableLayer {
	ethertype := layers.EthernetTypeIPv4
	if ipv6 {
		ethertype = layers.EthernetTypeIPv6
	}
	return []gopacket.SerializableLayer{&layers.GRE{KeyPresent: true, Key: 0xabcd0000 | uint32(flow), Protocol: ethertype}}
}

// serialise computes lengths and checksums, those of transport headers over
// the IP header before them.
func serialize(t testing.TB, stack []gopacket.SerializableLayer) []byte {
	t.Helper()
	var network gopacket.NetworkLayer
	for _, layer := range stack {
		if n, ok := layer.(gopacket.NetworkLayer); ok {
			network = n
		}
		if c, ok := layer.(interface {
			SetNetworkLayerForChecksum(gopacket.NetworkLayer) error
		}); ok {
			if err := c.SetNetworkLayerForChecksum(network); err != nil {
				t.Fatal(err)
			}
		}
	}
	buffer := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(buffer, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, stack...); err != nil {
		t.Fatal(err)
	}
	return append([]byte(nil), buffer.Bytes()...)
}

// families runs a test for both.
func families(t *testing.T, test func(t *testing.T, ipv6 bool)) {
	for _, ipv6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("ipv%d", map[bool]int{false: 4, true: 6}[ipv6]), func(t *testing.T) { test(t, ipv6) })
	}
}
