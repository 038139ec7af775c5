package netsim

import (
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Target is the host at the end of the way. Its address is what probes go to,
// by default n65281 (198.18.255.1, 2001:2::ff01); answers come from there.
type Target struct {
	Node     `yaml:",inline"`
	Endpoint `yaml:",inline"`
	// Also are further destinations that end here and are answered alike,
	// each from its own address.
	Also []netip.Prefix `yaml:"also"`
	// From is where answers come from instead of the address probed
	// (anycast, several interfaces).
	From Address `yaml:"from"`
}

func (t *Target) address(ipv6 bool) netip.Addr {
	if len(t.Addresses) > 0 {
		return t.Addresses[0].For(ipv6)
	}
	return N(targetNumber).For(ipv6)
}

// Endpoint is how a host answers the packets meant for it. The zero value
// answers echo, refuses every TCP and UDP port, and knows no GRE.
type Endpoint struct {
	// ICMP is answers (the default) or silent.
	ICMP EchoPolicy `yaml:"icmp"`
	// EchoData is what echo replies return: same (the default), zero or none.
	EchoData EchoData `yaml:"echo_data"`
	TCP      TCPPorts `yaml:"tcp"`
	UDP      UDPPorts `yaml:"udp"`
	GRE      Tunnel   `yaml:"gre"`
}

// EchoPolicy is what becomes of an echo request.
type EchoPolicy uint8

// The echo policies.
const (
	EchoAnswers EchoPolicy = iota
	EchoSilent
)

// UnmarshalText reads answers or silent.
func (p *EchoPolicy) UnmarshalText(text []byte) error {
	return pick(p, text, map[string]EchoPolicy{"answers": EchoAnswers, "silent": EchoSilent})
}

// EchoData is what an echo reply returns of the request's data.
type EchoData uint8

// What echo replies return. RFC 1122 section 3.2.2.6 and RFC 4443 section 4.2
// ask for all of it, unchanged.
const (
	SameData EchoData = iota
	ZeroData
	NoData
)

// UnmarshalText reads same, zero or none.
func (d *EchoData) UnmarshalText(text []byte) error {
	return pick(d, text, map[string]EchoData{"same": SameData, "zero": ZeroData, "none": NoData})
}

// TCPPorts says which ports are in what state. A SYN to an open port gets a
// SYN-ACK, to a tarpit one with a window of 0, to a closed port a reset, to a
// filtered port nothing.
type TCPPorts struct {
	Open     []uint16  `yaml:"open"`
	Closed   []uint16  `yaml:"closed"`
	Filtered []uint16  `yaml:"filtered"`
	Tarpit   []uint16  `yaml:"tarpit"`
	Default  PortState `yaml:"default"` // of the other ports; closed by default
	// BareReset leaves the ACK flag and number out of resets.
	BareReset bool `yaml:"bare_reset"`
}

// UDPPorts says which ports are in what state. A datagram to an open port is
// answered by one, to a closed port by port unreachable, to a filtered port by
// nothing.
type UDPPorts struct {
	Open     []uint16  `yaml:"open"`
	Closed   []uint16  `yaml:"closed"`
	Filtered []uint16  `yaml:"filtered"`
	Default  PortState `yaml:"default"` // of the other ports; closed by default
	// Answer is the payload of answers, in hex; default: that of the probe.
	Answer Hex `yaml:"answer"`
}

// PortState is the state of a port.
type PortState uint8

// The states of a port.
const (
	Closed PortState = iota
	Open
	Filtered
	Tarpit
)

// UnmarshalText reads closed, open, filtered or tarpit.
func (p *PortState) UnmarshalText(text []byte) error {
	return pick(p, text, map[string]PortState{"closed": Closed, "open": Open, "filtered": Filtered, "tarpit": Tarpit})
}

// State returns the state of a port.
func (p *TCPPorts) State(port uint16) PortState {
	switch {
	case slices.Contains(p.Open, port):
		return Open
	case slices.Contains(p.Closed, port):
		return Closed
	case slices.Contains(p.Filtered, port):
		return Filtered
	case slices.Contains(p.Tarpit, port):
		return Tarpit
	}
	return p.Default
}

// State returns the state of a port.
func (p *UDPPorts) State(port uint16) PortState {
	switch {
	case slices.Contains(p.Open, port):
		return Open
	case slices.Contains(p.Closed, port):
		return Closed
	case slices.Contains(p.Filtered, port):
		return Filtered
	}
	return p.Default
}

// Tunnel is what a host has for GRE.
type Tunnel struct {
	State TunnelState `yaml:"state"`
	// Key that the tunnel wants; any when absent. Other keys are no-tunnel.
	Key *uint32 `yaml:"key"`
}

// UnmarshalText reads the name of a state: in YAML that alone will do.
func (t *Tunnel) UnmarshalText(text []byte) error { return t.State.UnmarshalText(text) }

// TunnelState is what becomes of a GRE packet.
type TunnelState uint8

// The tunnel states. Absent hosts have no GRE: IPv4 protocol unreachable,
// IPv6 parameter problem code 1. NoTunnel hosts have GRE but no tunnel with
// the sender: port unreachable. Tunnelled hosts unpack: an inner packet for
// another host is forwarded, an inner echo request answered; TunnelledBack
// ones send what they forward or answer back through the tunnel. Mute hosts
// say nothing.
const (
	Absent TunnelState = iota
	NoTunnel
	Tunnelled
	TunnelledBack
	Mute
)

// UnmarshalText reads absent, no-tunnel, tunnel, tunnel-back or silent.
func (s *TunnelState) UnmarshalText(text []byte) error {
	return pick(s, text, map[string]TunnelState{
		"absent": Absent, "no-tunnel": NoTunnel, "tunnel": Tunnelled, "tunnel-back": TunnelledBack, "silent": Mute,
	})
}

// Hex is bytes, written in hex.
type Hex []byte

// UnmarshalText reads an even number of hex digits.
func (h *Hex) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("%q is not hex", text)
	}
	*h = b
	return nil
}

// QuoteLength is bytes behind the IP header; 0 is full.
type QuoteLength int

// UnmarshalText reads full or a number from 1 to 1500.
func (q *QuoteLength) UnmarshalText(text []byte) error {
	if string(text) == "full" {
		*q = 0
		return nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 1 || n > 1500 {
		return fmt.Errorf("%q is neither full nor a number from 1 to 1500", text)
	}
	*q = QuoteLength(n)
	return nil
}

func sortedNames[T any](names map[string]T) string {
	return strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}
