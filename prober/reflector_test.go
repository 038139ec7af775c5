package prober

import (
	"encoding/binary"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"probe-agent/packet"
	"probe-agent/traceroute"
)

// reflector is the fastest network there can be: a router at every TTL that
// answers each IPv4 probe at once. It measures what the engine costs.
type reflector struct {
	mu     sync.Mutex
	filled sync.Cond
	ring   [1 << 13]reflection
	head   uint
	tail   uint
	stamps []packet.Stamp
	closed bool
}

// reflection is a time exceeded message that quotes 28 bytes, as RFC 792 asks.
type reflection struct {
	bytes [20 + 8 + 28]byte
	wall  int64
}

func newReflector() *reflector {
	r := &reflector{}
	r.filled.L = &r.mu
	return r
}

func (r *reflector) Routes(_ []packet.RouteQuery, routes []packet.Route) error {
	for i := range routes {
		routes[i] = packet.Route{Source: netip.AddrFrom4([4]byte{198, 51, 100, 1})}
	}
	return nil
}

func (r *reflector) Supports(packet.Type, bool) error { return nil }

func (r *reflector) Senders() []packet.Sender { return []packet.Sender{r} }

func (r *reflector) Send(packets []packet.Outgoing) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	wall := time.Now().UnixNano()
	for i := range packets {
		for r.tail-r.head == uint(len(r.ring)) {
			r.filled.Wait()
		}
		slot := &r.ring[r.tail%uint(len(r.ring))]
		slot.wall = wall
		reflect(slot.bytes[:], packets[i].Bytes)
		r.stamps = append(r.stamps, packet.Stamp{TxID: packets[i].TxID, Wall: wall})
		r.tail++
	}
	r.filled.Broadcast()
	return len(packets), nil
}

func reflect(into, probe []byte) {
	clear(into[:28])
	into[0], into[8], into[9] = 0x45, 64, 1
	binary.BigEndian.PutUint16(into[2:], uint16(len(into)))
	copy(into[12:16], []byte{198, 51, 100, 200 + probe[8]%50})
	copy(into[16:20], probe[12:16])
	into[20] = 11
	copy(into[28:], probe[:28])
	var sum uint32
	for i := 20; i < len(into); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(into[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(into[22:], ^uint16(sum))
}

func (r *reflector) Stamps(into []packet.Stamp) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := copy(into, r.stamps)
	r.stamps = r.stamps[:copy(r.stamps, r.stamps[n:])]
	return n
}

func (r *reflector) Receivers() []packet.Receiver { return []packet.Receiver{r} }

func (r *reflector) Behind() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.head != r.tail
}

func (r *reflector) Receive(into []packet.Incoming) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.head == r.tail {
		if r.closed {
			return 0, net.ErrClosed
		}
		r.filled.Wait()
	}
	n := 0
	for n < len(into) && r.head != r.tail {
		slot := &r.ring[r.head%uint(len(r.ring))]
		into[n] = packet.Incoming{Bytes: append(into[n].Bytes[:0], slot.bytes[:]...), Wall: slot.wall}
		r.head++
		n++
	}
	r.filled.Broadcast()
	return n, nil
}

func (r *reflector) Ports() []uint16 {
	var ports []uint16
	for i := range 64 {
		ports = append(ports, uint16(33000+i))
	}
	return ports
}

func (r *reflector) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	r.filled.Broadcast()
	return nil
}

// BenchmarkEngine measures the whole engine, planning to matching, per probe
// answered.
func BenchmarkEngine(b *testing.B) {
	r := newReflector()
	e, err := New(r, Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	spec := traceroute.Spec{Target: netip.MustParseAddr("203.0.113.1"), MaxTTL: 64, PacketsPerTTL: 10}
	const perTrace = 64 * 10
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	left := make(chan struct{}, b.N/perTrace+1)
	for range cap(left) {
		left <- struct{}{}
	}
	close(left)
	for range 200 {
		wg.Go(func() {
			for range left {
				if _, err := e.Trace(b.Context(), spec, Feed{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	total := e.Totals()
	b.ReportMetric(float64(total.Sent)/b.Elapsed().Seconds(), "probes/s")
	if total.Matched != total.Sent {
		b.Errorf("%d sent, %d matched: %+v", total.Sent, total.Matched, total)
	}
}
