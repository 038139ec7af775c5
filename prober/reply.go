package prober

import (
	"bytes"
	"strings"

	"probe-agent/packet"
	"probe-agent/traceroute"
)

// kindOf returns the model's kind of a reply.
func kindOf(k packet.Kind) traceroute.Kind {
	return [...]traceroute.Kind{
		packet.EchoReply:        traceroute.EchoReply,
		packet.TimeExceeded:     traceroute.TimeExceeded,
		packet.Unreachable:      traceroute.Unreachable,
		packet.PacketTooBig:     traceroute.PacketTooBig,
		packet.ParameterProblem: traceroute.ParameterProblem,
		packet.SynAck:           traceroute.SynAck,
		packet.Reset:            traceroute.Reset,
		packet.UDPAnswer:        traceroute.UDPAnswer,
		packet.GREAnswer:        traceroute.GREAnswer,
		packet.Decapsulated:     traceroute.Decapsulated,
	}[k]
}

// extensionsOf returns a copy of the extensions of a reply, of which nothing
// points into the received packet.
func extensionsOf(e *packet.Extensions) *traceroute.Extensions {
	c := &traceroute.Extensions{}
	for _, m := range e.MPLS() {
		c.MPLS = append(c.MPLS, traceroute.MPLS{Label: m.Label, TrafficClass: m.Exp, Bottom: m.Bottom, TTL: m.TTL})
	}
	interfaces := e.Interfaces()
	for i := range interfaces {
		from := &interfaces[i]
		c.Interfaces = append(c.Interfaces, traceroute.Interface{
			Role: traceroute.Role(from.Role), Index: from.Index, HasIndex: from.HasIndex, Addr: from.Address, MTU: from.MTU,
			Name: strings.ToValidUTF8(string(from.Name[:from.NameLen]), "\uFFFD"), // from the network: may be anything
		})
	}
	for _, o := range e.Objects() {
		c.Objects = append(c.Objects, traceroute.Object{Class: o.Class, CType: o.CType, Data: bytes.Clone(o.Data)})
	}
	return c
}
