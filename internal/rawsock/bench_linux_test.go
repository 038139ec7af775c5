package rawsock

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// echoReplies returns a full batch to a host that answers none of it.
func (l *lab) echoReplies(b *testing.B) []packet.Outgoing {
	b.Helper()
	packets := make([]packet.Outgoing, batch)
	for i := range packets {
		packets[i] = packet.Outgoing{Bytes: trial{from: l.near4, to: l.far4, payload: number(uint32(i))}.echoReply(b), TxID: uint32(i)}
	}
	return packets
}

// One round is a batch of 64 to the other end of a veth pair, the stamps read.
// Without stamps it is close to a bare loop over sendmmsg.
func BenchmarkSend64(b *testing.B) {
	for _, mode := range []stampMode{stampNone, stampToken, stampCounter} {
		b.Run(mode.String(), func(b *testing.B) {
			l := newLab(b)
			near := open(b, Options{stamps: mode})
			packets := l.echoReplies(b)
			into := make([]packet.Stamp, 2*batch)
			stamps := 0
			b.ReportAllocs()
			for b.Loop() {
				sendAll(b, near, packets...)
				if mode != stampNone {
					stamps += near.Stamps(into)
				}
			}
			b.StopTimer()
			if want := batch * b.N; mode != stampNone && stamps != want {
				b.Errorf("%d stamps, want %d", stamps, want)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(batch*b.N), "ns/packet")
		})
	}
}

// One round is the receipt of 64 packets that wait in their queue.
func BenchmarkReceive(b *testing.B) {
	l := newLab(b)
	near := open(b, Options{stamps: stampNone})
	var far *Transport
	l.onFar(b, func() { far = open(b, Options{}) })
	packets := l.echoReplies(b)
	into := make([]packet.Incoming, batch)
	b.ReportAllocs()
	const ahead = 64 // batches sent at once, so that the timer stops seldom
	for i := range b.N {
		if i%ahead == 0 {
			b.StopTimer()
			for range min(ahead, b.N-i) {
				sendAll(b, near, packets...)
			}
			b.StartTimer()
		}
		for got := 0; got < batch; {
			n, err := far.Receivers()[0].Receive(into)
			if err != nil {
				b.Fatal(err)
			}
			got += n
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(batch*b.N), "ns/packet")
}

// One round is the routes of a trace with three flows; "connect" is what a UDP
// socket, connected and disconnected, costs for the source address alone.
func BenchmarkRoutes(b *testing.B) {
	l := newLab(b)
	near := open(b, Options{})
	for _, target := range []netip.Addr{l.far4, l.far6} {
		for _, typ := range []packet.Type{packet.ICMP, packet.TCP, packet.GRE} {
			b.Run(typ.String()+" "+target.String(), func(b *testing.B) {
				l.enter(b)
				flows, routes := make([]packet.RouteQuery, 3), make([]packet.Route, 3)
				for i := range flows {
					flows[i] = packet.RouteQuery{Target: target, Protocol: typ.Protocol(target.Is6())}
					if typ == packet.TCP {
						flows[i].SourcePort, flows[i].TargetPort = 40000+uint16(i), 443
					}
				}
				b.ReportAllocs()
				for b.Loop() {
					check(b, near.Routes(flows, routes))
				}
			})
		}
		b.Run("connect "+target.String(), func(b *testing.B) {
			l.visit(b)
			c := must[*connector](b)(openConnector(&near.options, [...]int{unix.AF_INET, unix.AF_INET6}[familyIndex(target)], unix.IPPROTO_UDP, netip.Addr{}))
			b.ReportAllocs()
			for b.Loop() {
				must[netip.Addr](b)(c.source(target, discardPort, 0))
			}
			check(b, c.close())
		})
	}
}
