package rawsock

import (
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/packet"
)

// Each protocol that answers come in, both families, over a wire and on
// loopback: what may pass the filter arrives, with all that is known of it and
// stamps from both ends, and what may not does not.
func TestArrival(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{})
	if status := near.Status(); !status.ReceiveStamps {
		t.Errorf("status %+v, want receive stamps", status)
	}
	var far *Transport
	l.onFar(t, func() { far = open(t, Options{}) })
	for _, path := range []struct {
		name     string
		to       *Transport
		to4, to6 netip.Addr
	}{
		{"veth", far, l.far4, l.far6},
		{"loopback", nil, netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()},
	} {
		if path.to == nil { // a new one, that has not heard the other path
			path.to = open(t, Options{})
		}
		arrivals := listen(t, path.to)
		for _, trial := range []trial{
			{from: l.near4, to: path.to4, ttl: 77, tos: 0x28, payload: number(1)},
			{from: l.near6, to: path.to6, ttl: 77, tos: 0x28, payload: number(1)},
		} {
			held := path.to.Ports()
			first, last := held[0], held[len(held)-1]
			icmp := uint8(protocolICMP)
			if trial.to.Is6() {
				icmp = protocolICMPv6
			}
			for _, c := range []struct {
				protocol uint8
				dropped  []byte
				passed   []byte
			}{
				{icmp, trial.icmp(t, 13, 200), trial.echoReply(t)},
				{protocolTCP, trial.tcp(t, 80, first, "S"), trial.tcp(t, 80, first, "SA")},
				{protocolTCP, trial.tcp(t, 80, first-1, "RA"), trial.tcp(t, 80, last, "RA")},
				{protocolUDP, trial.udp(t, 53, last+1), trial.udp(t, 53, last)},
				{protocolGRE, trial.udp(t, 53, first-1), trial.gre(t)},
			} {
				sendAll(t, near, packet.Outgoing{Bytes: c.dropped, TxID: 1}, packet.Outgoing{Bytes: c.passed, TxID: 2})
				got := next(t, arrivals)
				// What is dropped can draw an error from this host's kernel.
				for (got.Protocol == protocolICMP || got.Protocol == protocolICMPv6) && got.Protocol != c.protocol {
					got = next(t, arrivals)
				}
				stamps := stampsOf(near)
				if len(stamps) != 2 || stamps[0].TxID != 1 || stamps[1].TxID != 2 {
					t.Fatalf("%s %v protocol %d: stamps %v, want one for each token", path.name, trial.to, c.protocol, stamps)
				}
				if stamps[1].Wall == 0 || got.Wall < stamps[1].Wall {
					t.Errorf("%s %v protocol %d: sent at %d, received at %d", path.name, trial.to, c.protocol, stamps[1].Wall, got.Wall)
				}
				checkArrival(t, trial, c.protocol, c.passed, got)
			}
		}
	}
}

func checkArrival(t *testing.T, sent trial, protocol uint8, passed []byte, got arrival) {
	t.Helper()
	want := packet.Incoming{Bytes: passed, Protocol: protocol}
	if sent.to.Is6() {
		want = packet.Incoming{
			Bytes: passed[ip6HeaderLen:], Protocol: protocol, IPv6: true,
			From: sent.from, To: sent.to, HopLimit: sent.ttl, TrafficClass: sent.tos,
		}
	}
	got.Wall = 0
	if diff := cmp.Diff(want, got.Incoming, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
		t.Errorf("protocol %d (-want +got):\n%s", protocol, diff)
	}
}

// A probe to a closed port draws errors and resets from a real kernel.
func TestAnswers(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{})
	arrivals := listen(t, near)
	port := near.Ports()[0]
	for _, c := range []struct {
		name     string
		probe    []byte
		protocol uint8
		v6       bool
		kind     byte // first byte of the answer's ICMP message
	}{
		{"IPv4 UDP", trial{from: l.near4, to: l.far4}.udp(t, port, 9), protocolICMP, false, 3},
		{"IPv6 UDP", trial{from: l.near6, to: l.far6}.udp(t, port, 9), protocolICMPv6, true, 1},
		{"IPv4 echo", trial{from: l.near4, to: l.far4}.icmp(t, 8, 128), protocolICMP, false, 0},
		{"IPv6 echo", trial{from: l.near6, to: l.far6}.icmp(t, 8, 128), protocolICMPv6, true, 129},
		{"IPv4 SYN", trial{from: l.near4, to: l.far4}.tcp(t, port, 9, "S"), protocolTCP, false, 0},
		{"IPv6 SYN", trial{from: l.near6, to: l.far6}.tcp(t, port, 9, "S"), protocolTCP, true, 0},
		{"IPv6 GRE", trial{from: l.near6, to: l.far6}.gre(t), protocolICMPv6, true, 4},
		{"IPv4 GRE", trial{from: l.near4, to: l.far4}.gre(t), protocolICMP, false, 3},
	} {
		sendAll(t, near, packet.Outgoing{Bytes: c.probe})
		got := next(t, arrivals)
		if got.Protocol != c.protocol || got.IPv6 != c.v6 {
			t.Errorf("%s: answer of protocol %d, IPv6 %v", c.name, got.Protocol, got.IPv6)
			continue
		}
		if c.v6 && (got.From != l.far6 || got.To != l.near6 || got.HopLimit != 64) {
			t.Errorf("%s: from %v to %v hop limit %d", c.name, got.From, got.To, got.HopLimit)
		}
		if !c.v6 {
			if from := netip.AddrFrom4([4]byte(got.Bytes[12:16])); got.Bytes[0] != 0x45 || from != l.far4 {
				t.Errorf("%s: from %v", c.name, from)
			}
			got.Bytes = got.Bytes[ip4HeaderLen:]
		}
		if c.protocol != protocolTCP && got.Bytes[0] != c.kind {
			t.Errorf("%s: type %d, want %d", c.name, got.Bytes[0], c.kind)
		}
	}
	if status := near.Status(); status.Drops != 0 || status.Truncated != 0 {
		t.Errorf("status %+v, want no losses", status)
	}
}

// What is longer than a receive buffer loses its end and is counted.
func TestTruncated(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{})
	arrivals := listen(t, near)
	for _, long := range []trial{
		{from: l.near4, to: l.near4, payload: make([]byte, 3000)},
		{from: l.near6, to: l.near6, payload: make([]byte, 3000)},
	} {
		sendAll(t, near, packet.Outgoing{Bytes: long.udp(t, 53, near.Ports()[0])})
		if got := next(t, arrivals); len(got.Bytes) != receiveLen {
			t.Errorf("%v: %d bytes, want %d", long.to, len(got.Bytes), receiveLen)
		}
	}
	if got := near.Status().Truncated; got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
}

// What finds no room is counted, even when nothing comes after it, and when
// nobody looked before Close.
func TestDrops(t *testing.T) {
	l := newLab(t)
	const count = 500
	flood := func(transport *Transport) {
		answer := packet.Outgoing{Bytes: trial{from: l.near4, to: l.near4}.udp(t, 53, transport.Ports()[0])}
		for range count {
			sendAll(t, transport, answer)
		}
	}
	watched := open(t, Options{ReceiveBuffer: 1})
	flood(watched)
	drops := watched.Status().Drops
	arrivals := listen(t, watched)
	for range count - int(drops) {
		next(t, arrivals)
	}
	if drops == 0 || drops >= count {
		t.Errorf("%d of %d dropped, want some", drops, count)
	}
	unwatched := open(t, Options{ReceiveBuffer: 1})
	flood(unwatched)
	check(t, unwatched.Close())
	if got := unwatched.Status().Drops; got != drops {
		t.Errorf("%d dropped after Close, want %d", got, drops)
	}
}
