package rawsock

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// batch is how many packets one system call carries at most.
const batch = 64

// Transport carries packets over raw sockets. Its methods are safe for
// concurrent use where they say so; Open makes one.
type Transport struct {
	options Options
	ports   *heldPorts
	lanes   []lane
	lacks   [2]error // why the lanes have no sender for IPv4, IPv6
	queues  []*queue
	router  router
	// receiveStamps tells whether the kernel stamps what arrives.
	receiveStamps bool
	loopbackDown  bool

	stampsMu  sync.Mutex
	stampTurn int // which sender the next Stamps starts with

	closed    chan struct{}
	closeOnce sync.Once
	closeErr  error
}

// lane has a sender for each family, IPv4 and IPv6; nil where the host lacks
// the family.
type lane [2]*sender

// Open opens the sockets. A host that lacks one address family gets a
// Transport for the other. A few packets go to the loopback address, to
// learn how the kernel stamps and to wait, for 50 ms at most, until it does. The error matches
// ErrPrivilege when the process may not open raw sockets.
func Open(options Options) (*Transport, error) {
	if err := options.complete(); err != nil {
		return nil, err
	}
	if options.socket == nil {
		options.socket = unix.Socket
	}
	t := &Transport{options: options, closed: make(chan struct{})}
	if err := t.open(); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// open opens raw sockets first, since they are what a process may not be
// allowed. Nothing passes their filters until the ports are known.
func (t *Transport) open() error {
	started := time.Now()
	t.lanes = make([]lane, t.options.Lanes)
	sources := [2]netip.Addr{t.options.Source4, t.options.Source6}
	for family := range t.lacks {
		if err := t.openFamily(family, started); err != nil {
			if !isFamilyMissing(err) || sources[family].IsValid() {
				return err
			}
			t.lacks[family] = err
		}
	}
	if t.lacks[0] != nil && t.lacks[1] != nil {
		return errors.Join(t.lacks[:]...)
	}
	var err error
	if t.ports, err = holdPorts(&t.options); err != nil {
		return err
	}
	if err := t.router.open(&t.options, t.lacks, t.asPacket()); err != nil {
		return err
	}
	for _, q := range t.queues {
		if err := q.admit(t.ports.portRange); err != nil {
			return err
		}
	}
	return t.warmUp()
}

// asPacket reports for each family whether the kernel looks up its packets by
// the protocol in their header.
func (t *Transport) asPacket() (known [2]bool) {
	for family, s := range t.lanes[0] {
		known[family] = s != nil && s.protocol
	}
	return known
}

// warmUp makes sure of the kernel's receive stamps.
func (t *Transport) warmUp() error {
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if t.lacks[0] != nil {
		loopback = netip.IPv6Loopback()
	}
	t.loopbackDown = isDown(t.queues[0].sleeper.fd, "lo")
	var err error
	if t.receiveStamps, err = receiveStampsWork(&t.options, loopback); err != nil {
		return fmt.Errorf("rawsock: try receive stamps: %w", err)
	}
	for _, q := range t.queues {
		t.receiveStamps = t.receiveStamps && q.stamped
	}
	return nil
}

// openFamily opens the senders and the queues of one family, given by its
// index in a lane.
func (t *Transport) openFamily(family int, started time.Time) error {
	domain := [...]int{unix.AF_INET, unix.AF_INET6}[family]
	for i := range t.lanes {
		s, err := openSender(&t.options, domain, started)
		if err != nil {
			return err
		}
		t.lanes[i][family] = s
	}
	for _, filter := range packet.Filters(family == 1) {
		q, err := openQueue(&t.options, domain, filter, t.closed)
		if err != nil {
			return err
		}
		t.queues = append(t.queues, q)
	}
	return nil
}

// senders calls f with every sender there is.
func (t *Transport) senders(f func(*sender)) {
	for _, l := range t.lanes {
		for _, s := range l {
			if s != nil {
				f(s)
			}
		}
	}
}

// Supports returns nil when probes of a type can be sent over a family: all
// types can, over each family that the host has. Otherwise it says why not.
func (t *Transport) Supports(_ packet.Type, ipv6 bool) error {
	if ipv6 {
		return t.lacks[1]
	}
	return t.lacks[0]
}

// Senders returns as many senders as the options say.
func (t *Transport) Senders() []packet.Sender {
	senders := make([]packet.Sender, len(t.lanes))
	for i := range t.lanes {
		senders[i] = &t.lanes[i]
	}
	return senders
}

// Send hands packets to the kernel in order, both families in one batch if
// need be, and returns how many it took. The error tells why packets[sent]
// was refused: one that matches EAGAIN or ENOBUFS means that a buffer or
// queue is full for now; ENETUNREACH, EMSGSIZE, EPERM (a firewall) and others
// that the packet will not go. A packet without a whole IP header is refused
// with EINVAL, one of a family that the host lacks with EAFNOSUPPORT.
// Calls must not overlap; none may come after Close of the Transport.
func (l *lane) Send(packets []packet.Outgoing) (sent int, err error) {
	for sent < len(packets) {
		v6, n, err := leadingRun(packets[sent:])
		if err != nil {
			return sent, err
		}
		s := l[0]
		if v6 {
			s = l[1]
		}
		if s == nil {
			return sent, sendError(unix.EAFNOSUPPORT)
		}
		took, err := s.send(packets[sent : sent+n])
		sent += took
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Stamps moves transmit stamps that have come in since the last call to into
// and returns their number, without waiting; fewer than len(into) mean that
// there are no more for now. Right after Send has returned, the stamps of
// packets that needed no waiting in a queue are there. Safe for concurrent
// use; after Close it returns 0.
func (t *Transport) Stamps(into []packet.Stamp) int {
	t.stampsMu.Lock()
	defer t.stampsMu.Unlock()
	// Taking turns keeps a busy sender from starving the others.
	t.stampTurn++
	n, all := 0, 2*len(t.lanes)
	for i := range all {
		at := (t.stampTurn + i) % all
		if s := t.lanes[at/2][at%2]; s != nil {
			n += s.stamps.read(into[n:])
		}
	}
	return n
}

// Receivers returns a receiver for each family that the host has and each
// protocol that probes and their answers travel by.
func (t *Transport) Receivers() []packet.Receiver {
	receivers := make([]packet.Receiver, len(t.queues))
	for i, q := range t.queues {
		receivers[i] = q
	}
	return receivers
}

// Ports returns the local ports, TCP and UDP alike, that are held for use as
// source ports; a new slice of consecutive numbers.
func (t *Transport) Ports() []uint16 {
	ports := make([]uint16, t.ports.count)
	for i := range ports {
		ports[i] = t.ports.first + uint16(i)
	}
	return ports
}

// Close wakes every Receive and frees sockets and ports. Send must not be
// under way. Further calls do nothing and return what the first one did.
func (t *Transport) Close() error {
	t.closeOnce.Do(func() {
		close(t.closed)
		var errs []error
		for _, q := range t.queues {
			errs = append(errs, q.close())
		}
		t.senders(func(s *sender) { errs = append(errs, s.close()) })
		errs = append(errs, t.router.close())
		if t.ports != nil {
			errs = append(errs, t.ports.release())
		}
		t.closeErr = errors.Join(errs...)
	})
	return t.closeErr
}

// isFamilyMissing tells a kernel without an address family from other
// troubles.
func isFamilyMissing(err error) bool {
	return errors.Is(err, unix.EAFNOSUPPORT)
}
