package rawsock

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

var stampModes = []stampMode{stampToken, stampCounter}

// openStamping opens a Transport that stamps in a given way.
func openStamping(t testing.TB, mode stampMode) *Transport {
	t.Helper()
	transport := open(t, Options{stamps: mode})
	if got := transport.Status().StampMode; got != mode.String() {
		if mode == stampToken {
			t.Skipf("needs a kernel that takes SCM_TS_OPT_ID on raw sockets (Linux 6.13): stamp mode is %q", got)
		}
		t.Fatalf("stamp mode %q, want %q", got, mode)
	}
	return transport
}

// numbered returns UDP packets from near to the far Transport, of both
// families in turn, each with its token as the payload.
func (l *lab) numbered(t testing.TB, port uint16, count int) []packet.Outgoing {
	t.Helper()
	packets := make([]packet.Outgoing, count)
	for i := range packets {
		token := 0xf0000000 + uint32(i)
		p := trial{from: l.near4, to: l.far4, payload: number(token)}
		if i%3 == 1 {
			p.from, p.to = l.near6, l.far6
		}
		packets[i] = packet.Outgoing{Bytes: p.udp(t, 53, port), TxID: token}
	}
	return packets
}

// checkStamps compares stamps with what arrived. Both ends of a veth pair are
// stamped one after the other, before the next packet is looked at, so that a
// stamp credited to a neighbour shows.
// tokenIn reads the token in a numbered packet.
func tokenIn(a arrival) uint32 { return binary.BigEndian.Uint32(a.Bytes[len(a.Bytes)-4:]) }

func checkStamps(t *testing.T, sent []uint32, stamps []packet.Stamp, arrivals <-chan arrival) {
	t.Helper()
	received := map[uint32]int64{}
	for range sent {
		a := next(t, arrivals)
		received[tokenIn(a)] = a.Wall
	}
	transmitted := map[uint32]int64{}
	for _, stamp := range stamps {
		if _, twice := transmitted[stamp.TxID]; twice {
			t.Errorf("two stamps for token %#x", stamp.TxID)
		}
		transmitted[stamp.TxID] = stamp.Wall
	}
	if want := slices.Sorted(slices.Values(sent)); !slices.Equal(want, slices.Sorted(maps.Keys(transmitted))) {
		t.Fatalf("stamps for %d tokens, want exactly the %d sent", len(transmitted), len(want))
	}
	for i, token := range sent {
		if transmitted[token] == 0 || received[token] < transmitted[token] {
			t.Fatalf("token %#x sent at %d, received at %d", token, transmitted[token], received[token])
		}
		if i+1 < len(sent) && received[token] > transmitted[sent[i+1]] {
			t.Fatalf("token %#x received at %d, after the next was sent at %d", token, received[token], transmitted[sent[i+1]])
		}
	}
}

func TestStamps(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := openStamping(t, mode)
			var far *Transport
			l.onFar(t, func() { far = open(t, Options{}) })
			arrivals := listen(t, far)
			packets := l.numbered(t, far.Ports()[3], 1000)
			var stamps []packet.Stamp
			var sent []uint32
			for batch := range slices.Chunk(packets, 90) {
				sendAll(t, near, batch...)
				stamps = append(stamps, stampsOf(near)...)
				for _, p := range batch {
					sent = append(sent, p.TxID)
				}
			}
			checkStamps(t, sent, stamps, arrivals)
			if lost := near.Status().LostStamps; lost != 0 {
				t.Errorf("%d stamps lost", lost)
			}
		})
	}
}

// Packets that a firewall refuses use up a number of the kernel's counter;
// packets over the MTU and those without a route do not. In between, all
// stamps stay with their own packets.
func TestStampsAmongRefusals(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := openStamping(t, mode)
			var far *Transport
			l.onFar(t, func() { far = open(t, Options{}) })
			arrivals := listen(t, far)
			const blocked = 9999
			refuseUDP(t, blocked)
			port := far.Ports()[0]
			packets := l.numbered(t, port, 1000)
			wrong := map[int]error{}
			for i := 2; i < len(packets); i += 1 + i%7 {
				p := trial{from: l.near4, to: l.far4}
				if i%2 == 1 {
					p.from, p.to = l.near6, l.far6
				}
				switch i % 3 {
				case 0:
					packets[i].Bytes, wrong[i] = p.udp(t, 53, blocked), unix.EPERM
				case 1:
					p.payload = make([]byte, 2000)
					packets[i].Bytes, wrong[i] = p.udp(t, 53, port), unix.EMSGSIZE
				case 2:
					p = trial{from: l.near4, to: elsewhere4}
					packets[i].Bytes, wrong[i] = p.udp(t, 53, port), unix.ENETUNREACH
				}
			}
			var sent []uint32
			var stamps []packet.Stamp
			for i := 0; i < len(packets); i++ {
				n, err := near.Senders()[0].Send(packets[i:min(i+80, len(packets))])
				for range n {
					sent = append(sent, packets[i].TxID)
					i++
				}
				if i%4 == 0 {
					stamps = append(stamps, stampsOf(near)...)
				}
				if err == nil {
					i-- // all taken
					continue
				}
				if wrong[i] == nil || !errors.Is(err, wrong[i]) {
					t.Fatalf("packet %d: %v, want %v", i, err, wrong[i])
				}
			}
			if len(sent) != len(packets)-len(wrong) {
				t.Fatalf("%d sent, want %d", len(sent), len(packets)-len(wrong))
			}
			checkStamps(t, sent, append(stamps, stampsOf(near)...), arrivals)
		})
	}
}

// refuseUDP makes the namespace's firewall refuse what goes out to a port.
func refuseUDP(t *testing.T, port uint16) {
	t.Helper()
	conn, err := nftables.New()
	check(t, err)
	table := conn.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "refuse"})
	chain := conn.AddChain(&nftables.Chain{
		Name: "output", Table: table, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookOutput, Priority: nftables.ChainPriorityFilter,
	})
	conn.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{unix.IPPROTO_UDP}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(port)},
		&expr.Verdict{Kind: expr.VerdictDrop},
	}})
	check(t, conn.Flush())
}

// A Transport without transmit stamps sends all the same.
func TestNoStamps(t *testing.T) {
	l := newLab(t)
	near := open(t, Options{stamps: stampNone})
	sendAll(t, near, l.numbered(t, 9, 10)...)
	if stamps := stampsOf(near); len(stamps) != 0 {
		t.Errorf("stamps %v, want none", stamps)
	}
	if got := near.Status().StampMode; got != "none" {
		t.Errorf("stamp mode %q", got)
	}
}

// A kernel that sends, stamps and receives needs no memory of ours for it.
func TestNoAllocations(t *testing.T) {
	for _, mode := range stampModes {
		t.Run(mode.String(), func(t *testing.T) {
			l := newLab(t)
			near := openStamping(t, mode)
			answers := make([]packet.Outgoing, 20)
			for i := range answers {
				to := l.near6
				if i%2 == 0 {
					to = l.near4
				}
				answers[i] = packet.Outgoing{Bytes: trial{from: to, to: to}.udp(t, 53, near.Ports()[0]), TxID: uint32(i)}
			}
			full := packet.Outgoing{Bytes: trial{from: l.near4, to: elsewhere4}.udp(t, 1, 1)}
			stamps := make([]packet.Stamp, 64)
			sender, receivers, refused := near.Senders()[0], near.Receivers(), []packet.Outgoing{full}
			into := make([]packet.Incoming, 64)
			allocations := testing.AllocsPerRun(100, func() {
				sendAll(t, near, answers...)
				if n := near.Stamps(stamps); n != len(answers) {
					t.Fatalf("%d stamps, want %d", n, len(answers))
				}
				for queue, receiver := range receivers {
					if near.queues[queue].filter.Protocol != protocolUDP {
						continue
					}
					for got := 0; got < len(answers)/2; {
						n, err := receiver.Receive(into)
						if err != nil {
							t.Fatal(err)
						}
						got += n
					}
				}
				if _, err := sender.Send(refused); !errors.Is(err, unix.ENETUNREACH) {
					t.Fatal(err)
				}
			})
			if allocations != 0 {
				t.Errorf("%v allocations per round", allocations)
			}
		})
	}
}
