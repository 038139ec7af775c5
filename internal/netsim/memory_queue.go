package netsim

import (
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"probe-agent/packet"
)

// memoryQueue is one receive queue.
type memoryQueue struct {
	packets chan packet.Incoming
	done    <-chan struct{} // the Memory is closed
	// handed is what the last Receive gave out: the one goroutine that calls
	// Receive owns it.
	handed [][]byte
	out    atomic.Bool // what was handed has not been dealt with yet
}

// spoilt overwrites bytes that nobody may look at any more.
const spoilt = 0xdb

// Receive waits for packets. See packet.Receiver.
func (q *memoryQueue) Receive(into []packet.Incoming) (int, error) {
	q.out.Store(false)
	for _, bytes := range q.handed {
		for i := range bytes {
			bytes[i] = spoilt
		}
	}
	q.handed = q.handed[:0]
	if len(into) == 0 {
		return 0, fmt.Errorf("netsim: receive: no room for packets")
	}
	select {
	case <-q.done:
		return 0, fmt.Errorf("netsim: receive: %w", net.ErrClosed)
	case p := <-q.packets:
		q.hand(&into[0], p)
	}
	for n := 1; n < len(into); n++ {
		select {
		case p := <-q.packets:
			q.hand(&into[n], p)
		default:
			return n, nil
		}
	}
	return len(into), nil
}

// Behind reports whether packets wait to be received, or have not been dealt
// with. See packet.Receiver.
func (q *memoryQueue) Behind() bool {
	return len(q.packets) > 0 || q.out.Load()
}

func (q *memoryQueue) hand(into *packet.Incoming, p packet.Incoming) {
	q.out.Store(true)
	*into = p
	q.handed = append(q.handed, p.Bytes)
}

// deliver queues packets when they are due.
func (m *Memory) deliver() {
	defer m.idle.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-m.done:
			return
		case <-m.kick:
		case <-timer.C:
		}
		if wait, ok := m.deliverDue(); ok {
			timer.Reset(wait)
		} else {
			timer.Stop()
		}
	}
}

// deliverDue queues what is due and returns how long the next packet has.
func (m *Memory) deliverDue() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Since(m.start)
	for {
		bytes, ok := m.schedule.take(now)
		if !ok {
			break
		}
		if m.firewall.in(bytes) {
			m.arrive(bytes, now)
		}
	}
	next, ok := m.schedule.next()
	return next - now, ok
}

// arrive puts a packet on the queue of its family and protocol, as raw
// sockets would be given it.
func (m *Memory) arrive(bytes []byte, now time.Duration) {
	d, ok := readDatagram(bytes)
	// The kernel verifies the checksum of ICMPv6 before any raw socket sees it
	// (RFC 3542 section 3.1); that of ICMP it leaves to the socket's owner.
	unseen := ok && d.protocol == protoICMPv6 && !d.whole()
	if !ok || unseen || d.target() != m.source.For(d.ipv6) || d.kind() == 0 {
		m.counts.Stray++
		return
	}
	m.received++
	in := packet.Incoming{Bytes: d.bytes, IPv6: d.ipv6}
	if wall, ok := m.host.stamp(&m.host.Receive, drawReceiveStamp, m.received, now, m.start); ok {
		in.Wall = wall
	}
	if d.ipv6 {
		in.Bytes = d.segment()
		in.Protocol = d.protocol
		in.From, in.To = d.source(), d.target()
		in.HopLimit = d.ttl()
		in.TrafficClass = d.trafficClass()
	}
	select {
	case m.queues[queueOf(&d)].packets <- in:
		m.counts.Arrived++
	default:
		m.counts.Overflow++
	}
}

// queueOf returns the queue of a datagram whose kind is known.
func queueOf(d *datagram) int {
	queue := int(d.kind() - ICMP)
	if d.ipv6 {
		queue += memoryQueues / 2
	}
	return queue
}
