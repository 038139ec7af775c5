package netsim_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
)

func TestEndpoint(t *testing.T) {
	key := uint32(0xabcd0007)
	tests := []struct {
		name     string
		endpoint netsim.Endpoint
		probe    probe
		want     string // "" for no answer
		want6    string // where IPv6 differs
	}{
		{name: "echo", probe: echoProbe(4), want: "40ms target echo-reply"},
		{name: "echo, silent", endpoint: netsim.Endpoint{ICMP: netsim.EchoSilent}, probe: echoProbe(4)},
		{name: "tcp open", endpoint: openTCP(80), probe: probe{kind: "tcp"}, want: "40ms target tcp SA"},
		{name: "tcp closed", endpoint: openTCP(80), probe: probe{kind: "tcp", port: 81}, want: "40ms target tcp RA"},
		{name: "tcp filtered", endpoint: netsim.Endpoint{TCP: netsim.TCPPorts{Filtered: []uint16{80}}}, probe: probe{kind: "tcp"}},
		{name: "tcp tarpit", endpoint: netsim.Endpoint{TCP: netsim.TCPPorts{Tarpit: []uint16{80}}}, probe: probe{kind: "tcp"}, want: "40ms target tcp SA"},
		{name: "tcp bare reset", endpoint: netsim.Endpoint{TCP: netsim.TCPPorts{BareReset: true}}, probe: probe{kind: "tcp"}, want: "40ms target tcp R"},
		{name: "tcp ack without connection", endpoint: openTCP(80), probe: probe{kind: "tcp", flags: "A"}, want: "40ms target tcp R"},
		{name: "tcp reset is never answered", endpoint: openTCP(80), probe: probe{kind: "tcp", flags: "R"}},
		{name: "udp closed", probe: probe{kind: "udp"}, want: "40ms target port-unreachable"},
		{name: "udp open, echoes", endpoint: netsim.Endpoint{UDP: netsim.UDPPorts{Open: []uint16{53}}}, probe: probe{kind: "udp", port: 53, payload: 30}, want: "40ms target udp 30"},
		{name: "udp open, fixed answer", endpoint: netsim.Endpoint{UDP: netsim.UDPPorts{Default: netsim.Open, Answer: netsim.Hex{1, 2, 3}}}, probe: probe{kind: "udp"}, want: "40ms target udp 3"},
		{name: "udp filtered", endpoint: netsim.Endpoint{UDP: netsim.UDPPorts{Default: netsim.Filtered}}, probe: probe{kind: "udp"}},
		{name: "gre absent", probe: probe{kind: "gre"}, want: "40ms target protocol-unreachable", want6: "40ms target parameter-problem 1"},
		{name: "gre without tunnel", endpoint: tunnel(netsim.NoTunnel, nil), probe: probe{kind: "gre", flow: 7}, want: "40ms target port-unreachable"},
		{name: "gre silent", endpoint: tunnel(netsim.Mute, nil), probe: probe{kind: "gre", flow: 7}},
		{name: "gre keepalive comes home", endpoint: tunnel(netsim.Tunnelled, nil), probe: probe{kind: "gre", flow: 7}, want: "40ms target udp 12"},
		{name: "gre key fits", endpoint: tunnel(netsim.Tunnelled, &key), probe: probe{kind: "gre", flow: 7}, want: "40ms target udp 12"},
		{name: "gre key does not", endpoint: tunnel(netsim.Tunnelled, &key), probe: probe{kind: "gre", flow: 8}, want: "40ms target port-unreachable"},
		{name: "gre keepalive through the tunnel", endpoint: tunnel(netsim.TunnelledBack, nil), probe: probe{kind: "gre", flow: 7}, want: "40ms target gre"},
		{name: "gre echo", endpoint: tunnel(netsim.Tunnelled, nil), probe: probe{kind: "gre-echo", flow: 7}, want: "40ms target echo-reply"},
		{name: "gre echo through the tunnel", endpoint: tunnel(netsim.TunnelledBack, nil), probe: probe{kind: "gre-echo", flow: 7}, want: "40ms target gre"},
		{name: "gre version 1", endpoint: tunnel(netsim.NoTunnel, nil), probe: probe{kind: "gre", mangle: atTransport(1, 0x01)}},
		{name: "wrong icmp checksum", probe: probe{kind: "icmp", mangle: atTransport(3, 0x55)}},
		{name: "wrong tcp checksum", probe: probe{kind: "tcp", mangle: atTransport(17, 0x55)}},
		{name: "wrong udp checksum", probe: probe{kind: "udp", mangle: atTransport(7, 0x55)}},
		{
			// RFC 768: none computed. RFC 8200 section 8.1: not in IPv6.
			name: "no udp checksum", probe: probe{kind: "udp", mangle: func(b []byte) { atTransport(6, 0)(b); atTransport(7, 0)(b) }},
			want: "40ms target port-unreachable", want6: "none",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			families(t, func(t *testing.T, ipv6 bool) {
				scenario := netsim.Chain(3, 40*ms)
				scenario.Target.Endpoint = test.endpoint
				test.probe.ttl = 4
				var got []string
				for _, a := range send(t, newNetwork(t, scenario), ipv6, test.probe) {
					got = append(got, a.String())
				}
				want := []string{test.want}
				if ipv6 && test.want6 != "" {
					want = []string{test.want6}
				}
				if want[0] == "" || want[0] == "none" {
					want = nil
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func openTCP(port uint16) netsim.Endpoint {
	return netsim.Endpoint{TCP: netsim.TCPPorts{Open: []uint16{port}}}
}

func tunnel(state netsim.TunnelState, key *uint32) netsim.Endpoint {
	return netsim.Endpoint{GRE: netsim.Tunnel{State: state, Key: key}}
}

// atTransport sets a byte behind the IP header.
func atTransport(at int, value byte) func([]byte) {
	return func(b []byte) {
		if b[0]>>4 == 6 {
			b[40+at] = value
		} else {
			b[20+at] = value
		}
	}
}

// What an answer must say so that the prober can tell which probe it answers.
func TestAnswersNameTheProbe(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		scenario := netsim.Chain(0, 0)
		scenario.Target.UDP.Open = []uint16{53}
		scenario.Target.GRE.State = netsim.Tunnelled
		network := newNetwork(t, scenario)

		reply := sendOne(t, network, ipv6, probe{kind: "icmp", ttl: 1, flow: 0x1234, seq: 0x5678})
		if reply.rest != 0x12345678 {
			t.Errorf("echo reply carries %08x, want 12345678", reply.rest)
		}
		for name, want := range map[string]struct {
			port uint16
			ack  uint32
		}{"open": {80, 0x4201}, "closed": {81, 0x4201}} {
			a := sendOne(t, network, ipv6, probe{kind: "tcp", ttl: 1, flow: 5, seq: 0x42, port: want.port})
			if ack := binary.BigEndian.Uint32(a.segment[8:]); a.sport != want.port || a.dport != 33005 || ack != want.ack {
				t.Errorf("tcp %s: %d to %d acknowledges %x, want %d to 33005 and %x", name, a.sport, a.dport, ack, want.port, want.ack)
			}
		}
		a := sendOne(t, network, ipv6, probe{kind: "udp", ttl: 1, flow: 6, seq: 0xbeef, port: 53})
		if a.sport != 53 || a.dport != 33006 || binary.BigEndian.Uint16(a.segment[8:]) != 0xbeef {
			t.Errorf("udp answer %d to %d with % x", a.sport, a.dport, a.segment[8:])
		}
		sent := probe{kind: "gre", ttl: 1, flow: 7, seq: 777}.bytes(t, ipv6)
		home := sendOne(t, network, ipv6, probe{kind: "gre", ttl: 1, flow: 7, seq: 777})
		header := map[bool]int{false: 20, true: 40}[ipv6]
		inner := sent[header+8:]
		if !bytes.Equal(home.segment, inner[header:]) || home.ttl != 63 {
			t.Errorf("keepalive came home as % x with TTL %d, want % x with TTL 63", home.segment, home.ttl, inner[header:])
		}
	})
}

func TestCounts(t *testing.T) {
	scenario := netsim.Chain(2, 30*ms)
	scenario.Family = netsim.IPv4
	scenario.Hops[1].Loss.Nth = []int{1}
	scenario.Target.Duplicate = &netsim.Duplicate{}
	network := newNetwork(t, scenario)
	probes := [][]byte{
		echoProbe(1).bytes(t, false), // answered
		echoProbe(2).bytes(t, false), // lost
		echoProbe(3).bytes(t, false), // reaches, answered twice
		echoProbe(3).bytes(t, true),  // a family not carried
		probe{kind: "icmp", ttl: 3, mangle: atTransport(3, 1)}.bytes(t, false), // reaches, refused
		{0x45}, // no packet
	}
	for _, p := range probes {
		network.Receive(0, p)
	}
	want := netsim.Counts{Received: 6, Malformed: 1, Foreign: 1, Lost: 1, Refused: 1, Reached: 2, Answers: 3}
	want.ByTTL[1], want.ByTTL[2], want.ByTTL[3] = 1, 1, 3
	if diff := cmp.Diff(want, network.Counts()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Wrong IPv4 header checksums die at the first router, and lengths that claim
// more than there is.
func TestMalformed(t *testing.T) {
	network := newNetwork(t, netsim.Chain(1, 10*ms))
	for name, b := range map[string][]byte{
		"empty":            {},
		"checksum":         probe{kind: "icmp", ttl: 1, mangle: func(b []byte) { b[10] ^= 1 }}.bytes(t, false),
		"ipv4 length":      echoProbe(1).bytes(t, false)[:30],
		"ipv6 length":      echoProbe(1).bytes(t, true)[:50],
		"version":          probe{kind: "icmp", ttl: 1, mangle: func(b []byte) { b[0] = 0x75 }}.bytes(t, false),
		"half an ipv6 one": echoProbe(1).bytes(t, true)[:39],
	} {
		if got := network.Receive(0, b); got != nil {
			t.Errorf("%s: %d answers", name, len(got))
		}
	}
	if got := network.Counts().Malformed; got != 6 {
		t.Errorf("%d counted as malformed, want 6", got)
	}
}
