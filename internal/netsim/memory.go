package netsim

import (
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"probe-agent/packet"
)

// Sizes of the in-memory host.
const (
	memoryQueues = 8 // IPv4 and IPv6, each ICMP, TCP, UDP, GRE
	memoryPorts  = 256
	firstPort    = 33000
	defaultQueue = 4096
	stampBacklog = 1 << 16 // stamps that wait to be read; more are lost
)

// Memory is a transport for package prober that leads into a simulated
// network. It behaves as Linux raw sockets do, and stricter where that shows
// mistakes: bytes that were handed out are overwritten when the queue is read
// again. Time is the time package's, so that in a testing/synctest bubble it
// is virtual; a blocked Receive is durably blocked.
type Memory struct {
	host   Host
	source Address
	start  time.Time
	ports  []uint16
	queues [memoryQueues]*memoryQueue

	kick chan struct{} // something earlier than before is scheduled
	done chan struct{}
	stop sync.Once
	idle sync.WaitGroup

	mu       sync.Mutex // guards what follows
	carrier  Carrier
	schedule schedule
	firewall *firewall
	attempts int // packets that Send was given, refused ones included
	sent     int // packets taken
	received int // packets that arrived at the host
	stamps   []waitingStamp
	counts   MemoryCounts
}

// MemoryCounts is what a Memory did.
type MemoryCounts struct {
	Sent     int // packets taken by Send
	Refused  int // packets refused by Send
	Arrived  int // packets queued for Receive
	Overflow int // packets dropped because their queue was full
	Stray    int // packets for another host, or of a protocol without a socket
}

// NewMemory returns a transport on the given host, with the carrier behind
// it, which is used by nobody else until Close. The host's time begins now.
func NewMemory(carrier Carrier, host Host) *Memory {
	m := &Memory{
		host:     host,
		source:   host.source(),
		start:    time.Now(),
		kick:     make(chan struct{}, 1),
		done:     make(chan struct{}),
		carrier:  carrier,
		firewall: newFirewall(host.Firewall),
	}
	capacity := host.Queue
	if capacity == 0 {
		capacity = defaultQueue
	}
	for i := range m.queues {
		m.queues[i] = &memoryQueue{packets: make(chan packet.Incoming, capacity), done: m.done}
	}
	for i := range memoryPorts {
		m.ports = append(m.ports, firstPort+uint16(i))
	}
	m.idle.Add(1)
	go m.deliver()
	return m
}

// Routes gives each flow the host's address of its family and no interface.
// The error is ENETUNREACH when the host has no address of it.
func (m *Memory) Routes(flows []packet.RouteQuery, routes []packet.Route) error {
	for i := range flows {
		source := m.source.For(flows[i].Target.Is6())
		if !source.IsValid() {
			return fmt.Errorf("netsim: no route to %v: %w", flows[i].Target, syscall.ENETUNREACH)
		}
		routes[i] = packet.Route{Source: source}
	}
	return nil
}

// Ports returns 256 ports.
func (m *Memory) Ports() []uint16 { return append([]uint16(nil), m.ports...) }

// Supports returns nil: every type can be sent over both families, as far as
// the host has addresses.
func (m *Memory) Supports(packet.Type, bool) error { return nil }

// Receivers returns 8: IPv4 ICMP, TCP, UDP, GRE, then the same for IPv6.
func (m *Memory) Receivers() []packet.Receiver {
	receivers := make([]packet.Receiver, len(m.queues))
	for i, q := range m.queues {
		receivers[i] = q
	}
	return receivers
}

// Senders returns m itself.
func (m *Memory) Senders() []packet.Sender { return []packet.Sender{m} }

// Send gives packets to the network, until the host's faults refuse one. As
// Linux does for raw sockets (raw(7)), it fills in length, checksum and, where
// they are zero, identification and source of an IPv4 header; nothing of an
// IPv6 header.
func (m *Memory) Send(packets []packet.Outgoing) (sent int, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.done:
		return 0, fmt.Errorf("netsim: send: %w", net.ErrClosed)
	default:
	}
	first, scheduled := m.schedule.next()
	for sent < len(packets) && err == nil {
		if err = m.sendOne(&packets[sent]); err == nil {
			sent++
		}
	}
	if err != nil {
		m.counts.Refused++
		err = fmt.Errorf("netsim: send: %w", err)
	}
	if now, ok := m.schedule.next(); ok && (!scheduled || now < first) {
		select {
		case m.kick <- struct{}{}:
		default: // it is kicked already
		}
	}
	return sent, err
}

func (m *Memory) sendOne(p *packet.Outgoing) error {
	at := time.Since(m.start)
	m.attempts++
	if err := m.host.refuses(m.attempts, at, len(p.Bytes)); err != nil {
		return err
	}
	bytes, err := m.complete(p.Bytes)
	if err != nil {
		return err
	}
	m.sent++
	m.counts.Sent++
	if wall, ok := m.host.stamp(&m.host.Transmit, drawTransmitStamp, m.sent, at, m.start); ok && len(m.stamps) < stampBacklog {
		m.stamps = append(m.stamps, waitingStamp{
			ready: at + m.host.Transmit.Delay,
			stamp: packet.Stamp{TxID: p.TxID, Wall: wall},
		})
	}
	if !m.firewall.out(bytes) {
		return nil
	}
	for _, d := range m.carrier.Receive(at, bytes) {
		m.schedule.add(at+d.After, d.Bytes)
	}
	return nil
}

// Stamps returns transmit stamps that can be read by now.
func (m *Memory) Stamps(into []packet.Stamp) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	now, n := time.Since(m.start), 0
	for n < len(into) && n < len(m.stamps) && m.stamps[n].ready <= now {
		into[n] = m.stamps[n].stamp
		n++
	}
	m.stamps = append(m.stamps[:0], m.stamps[n:]...)
	return n
}

// Counts returns what was done so far.
func (m *Memory) Counts() MemoryCounts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts
}

// Close ends every Receive and the goroutine that delivers. Packets on their
// way are dropped. It always returns nil.
func (m *Memory) Close() error {
	m.stop.Do(func() { close(m.done) })
	m.idle.Wait()
	return nil
}
