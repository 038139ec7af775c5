package netsim_test

import (
	"bytes"
	"errors"
	"net"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"probe-agent/internal/netsim"
	"probe-agent/packet"
	"probe-agent/prober"
)

var _ prober.Transport = (*netsim.Memory)(nil)

// Receive queues of a Memory.
const (
	icmpV4Queue = 0
	udpV4Queue  = 2
	icmpV6Queue = 4
	tcpV6Queue  = 5
)

// inMemory runs a test in virtual time with a Memory that is closed at its
// end, and checks that nothing is left running.
func inMemory(t *testing.T, s *netsim.Scenario, test func(t *testing.T, m *netsim.Memory)) {
	t.Helper()
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		network := newNetwork(t, s)
		m := netsim.NewMemory(network, network.Host())
		defer func() {
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}()
		synctest.Wait() // the one that delivers is asleep
		test(t, m)
	})
}

func outgoing(t *testing.T, ipv6 bool, probes ...probe) []packet.Outgoing {
	var out []packet.Outgoing
	for i, p := range probes {
		out = append(out, packet.Outgoing{Bytes: p.bytes(t, ipv6), TxID: uint32(100 + i)})
	}
	return out
}

func mustSend(t *testing.T, m *netsim.Memory, packets []packet.Outgoing) {
	t.Helper()
	if n, err := m.Send(packets); n != len(packets) || err != nil {
		t.Fatalf("sent %d of %d: %v", n, len(packets), err)
	}
}

func mustReceive(t *testing.T, m *netsim.Memory, queue int) packet.Incoming {
	t.Helper()
	var in [1]packet.Incoming
	if n, err := m.Receivers()[queue].Receive(in[:]); n != 1 || err != nil {
		t.Fatalf("received %d: %v", n, err)
	}
	return in[0]
}

func TestMemoryRoundTrip(t *testing.T) {
	inMemory(t, netsim.Chain(3, 40*ms), func(t *testing.T, m *netsim.Memory) {
		start := time.Now()
		mustSend(t, m, outgoing(t, false, echoProbe(4), echoProbe(2)))
		for _, want := range []struct {
			after time.Duration
			from  netsim.Address
		}{{20 * ms, netsim.N(2)}, {40 * ms, target}} {
			in := mustReceive(t, m, icmpV4Queue)
			if got := time.Since(start); got != want.after {
				t.Errorf("received after %v, want %v", got, want.after)
			}
			if in.IPv6 || !bytes.Equal(in.Bytes[12:16], want.from.For(false).AsSlice()) {
				t.Errorf("received % x, want it from %v", in.Bytes, want.from)
			}
			if in.Wall != time.Now().UnixNano() {
				t.Errorf("receive stamp %d, want %d", in.Wall, time.Now().UnixNano())
			}
		}
		var stamps [3]packet.Stamp
		n := m.Stamps(stamps[:])
		want := []packet.Stamp{{TxID: 100, Wall: start.UnixNano()}, {TxID: 101, Wall: start.UnixNano()}}
		if diff := cmp.Diff(want, stamps[:n]); diff != "" {
			t.Errorf("stamps (-want +got):\n%s", diff)
		}
		if n := m.Stamps(stamps[:]); n != 0 {
			t.Errorf("%d stamps a second time", n)
		}
	})
}

func TestMemoryIPv6HasNoHeader(t *testing.T) {
	scenario := netsim.Chain(1, 20*ms)
	scenario.Target.ReplyTOS = 0x28
	inMemory(t, scenario, func(t *testing.T, m *netsim.Memory) {
		mustSend(t, m, outgoing(t, true, echoProbe(9), probe{kind: "tcp", ttl: 9}))
		in := mustReceive(t, m, icmpV6Queue)
		got := in
		got.Bytes, got.Wall = nil, 0
		want := packet.Incoming{IPv6: true, Protocol: 58, From: target.For(true), To: source.For(true), HopLimit: 63, TrafficClass: 0x28}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b packet.Incoming) bool {
			return a.From == b.From && a.To == b.To && a.IPv6 == b.IPv6 && a.Protocol == b.Protocol && a.HopLimit == b.HopLimit && a.TrafficClass == b.TrafficClass
		})); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if in.Bytes[0] != 129 {
			t.Errorf("bytes start with % x, want an echo reply", in.Bytes[:2])
		}
		if in := mustReceive(t, m, tcpV6Queue); in.Bytes[13] != 0x12 {
			t.Errorf("flags %x, want SYN and ACK", in.Bytes[13])
		}
	})
}

// Bytes are the caller's until the next Receive and no longer.
func TestMemorySpoilsBytes(t *testing.T) {
	inMemory(t, netsim.Chain(1, 20*ms), func(t *testing.T, m *netsim.Memory) {
		mustSend(t, m, outgoing(t, false, echoProbe(1), echoProbe(2)))
		first := mustReceive(t, m, icmpV4Queue)
		if first.Bytes[0] != 0x45 {
			t.Fatalf("received % x", first.Bytes)
		}
		mustReceive(t, m, icmpV4Queue)
		if want := bytes.Repeat([]byte{0xdb}, len(first.Bytes)); !bytes.Equal(first.Bytes, want) {
			t.Errorf("old bytes are % x", first.Bytes)
		}
	})
}

// The kernel fills in what raw(7) says of an IPv4 header.
func TestMemoryCompletesHeader(t *testing.T) {
	inMemory(t, netsim.Chain(1, 20*ms), func(t *testing.T, m *netsim.Memory) {
		out := outgoing(t, false, echoProbe(1))
		copy(out[0].Bytes[2:], []byte{0, 0, 0, 0})  // length, identification
		copy(out[0].Bytes[10:], []byte{0, 0})       // checksum
		copy(out[0].Bytes[12:], []byte{0, 0, 0, 0}) // source
		before := bytes.Clone(out[0].Bytes)
		mustSend(t, m, out)
		quote := mustReceive(t, m, icmpV4Queue).Bytes[28:]
		if from, _ := quoted(quote); from != source.For(false) || quote[3] != byte(len(before)) || quote[5] == 0 {
			t.Errorf("went out as % x", quote[:20])
		}
		if !bytes.Equal(before, out[0].Bytes) {
			t.Error("the caller's packet was changed")
		}
	})
}

func TestMemoryOneFamily(t *testing.T) {
	scenario := netsim.Chain(1, 20*ms)
	scenario.Family = netsim.IPv6
	inMemory(t, scenario, func(t *testing.T, m *netsim.Memory) {
		var routes [1]packet.Route
		if err := m.Routes([]packet.RouteQuery{{Target: target.For(true)}}, routes[:]); routes[0] != (packet.Route{Source: source.For(true)}) || err != nil {
			t.Errorf("route %v: %v", routes[0], err)
		}
		if err := m.Routes([]packet.RouteQuery{{Target: target.For(false)}}, routes[:]); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("source error %v, want ENETUNREACH", err)
		}
		if _, err := m.Send(outgoing(t, false, echoProbe(1))); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("send error %v, want ENETUNREACH", err)
		}
		if got := len(m.Ports()); got != 256 {
			t.Errorf("%d ports", got)
		}
	})
}

// Answers that are due at once arrive in the order of the probes: the same
// run is the same run again.
func TestMemoryOrder(t *testing.T) {
	inMemory(t, netsim.Chain(0, 20*ms), func(t *testing.T, m *netsim.Memory) {
		var probes []probe
		for i := range 50 {
			probes = append(probes, probe{kind: "icmp", ttl: 1, flow: 1, seq: uint16(i)})
		}
		mustSend(t, m, outgoing(t, false, probes...))
		for i := range 50 {
			if in := mustReceive(t, m, icmpV4Queue); in.Bytes[27] != byte(i) {
				t.Fatalf("sequence %d in place %d", in.Bytes[27], i)
			}
		}
	})
}

func TestMemoryCloseWakesReceive(t *testing.T) {
	inMemory(t, netsim.Chain(1, time.Hour), func(t *testing.T, m *netsim.Memory) {
		errs := make(chan error)
		for queue := range m.Receivers() {
			go func() {
				_, err := m.Receivers()[queue].Receive(make([]packet.Incoming, 1))
				errs <- err
			}()
		}
		mustSend(t, m, outgoing(t, false, echoProbe(1))) // still under way at the end
		synctest.Wait()
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		for range m.Receivers() {
			if err := <-errs; !errors.Is(err, net.ErrClosed) {
				t.Errorf("receive ended with %v, want net.ErrClosed", err)
			}
		}
		if _, err := m.Send(outgoing(t, false, echoProbe(1))); !errors.Is(err, net.ErrClosed) {
			t.Errorf("send ended with %v, want net.ErrClosed", err)
		}
	})
}

func TestJoin(t *testing.T) {
	near, far := netsim.Chain(1, 10*ms), netsim.Chain(2, 90*ms)
	far.Target.Addresses = []netsim.Address{netsim.N(300)}
	carrier := netsim.Join(newNetwork(t, near), newNetwork(t, far))
	families(t, func(t *testing.T, ipv6 bool) {
		if got := sendOne(t, carrier, ipv6, echoProbe(9)).String(); got != "10ms target echo-reply" {
			t.Error(got)
		}
		a := sendOne(t, carrier, ipv6, probe{kind: "icmp", ttl: 9, target: netsim.N(300).For(ipv6)})
		if a.After != 90*ms || a.from != netsim.N(300).For(ipv6) {
			t.Error(a)
		}
		if got := send(t, carrier, ipv6, probe{kind: "icmp", ttl: 9, target: netsim.N(301).For(ipv6)}); got != nil {
			t.Error(got)
		}
	})
}
