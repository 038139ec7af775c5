package rawsock

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

const (
	// receiveLen is kept of a packet: more than a probe's answer ever has,
	// since an ICMP error quotes no more than fits in 1280 bytes (RFC 4443
	// section 2.4) and nobody answers a short probe with a jumbo frame.
	receiveLen = 2048
	// receiveControlLen has room for a timestamp (64 bytes with its header),
	// an IPv6 destination (40), hop limit (24) and traffic class (24).
	receiveControlLen = 192
)

// queue receives one protocol of one family.
type queue struct {
	sleeper *sleeper
	v6      bool
	filter  packet.Filter   // of its protocol
	closed  <-chan struct{} // the transport is
	stamped bool            // the kernel stamps what arrives
	buffer  int

	headers  [batch]unix.Mmsghdr
	iovecs   [batch]unix.Iovec
	names    [batch]unix.RawSockaddrInet6
	controls [batch][receiveControlLen / 8]uint64 // aligned for control headers
	bytes    [batch][receiveLen]byte

	truncated atomic.Uint64
	dropsSeen atomic.Uint32 // the kernel's count when last looked at
	dropsAt   uint32        // the kernel's count when the queue opened
}

// openQueue opens a queue that lets nothing in before admit.
func openQueue(options *Options, domain int, filter packet.Filter, closed <-chan struct{}) (*queue, error) {
	fd, err := openRaw(options, domain, int(filter.Protocol))
	if err != nil {
		return nil, err
	}
	q := &queue{v6: domain == unix.AF_INET6, filter: filter, closed: closed}
	if err := q.setUp(fd, options); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	if q.sleeper, err = newSleeper(fd); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return q, nil
}

func (q *queue) setUp(fd int, options *Options) error {
	var err error
	if q.buffer, err = setReceiveBuffer(fd, options.ReceiveBuffer); err != nil {
		return err
	}
	q.stamped = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, receiveFlags) == nil
	if q.v6 {
		for _, option := range [...]int{unix.IPV6_RECVPKTINFO, unix.IPV6_RECVHOPLIMIT, unix.IPV6_RECVTCLASS} {
			if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, option, 1); err != nil {
				return fmt.Errorf("rawsock: set IPv6 receive option: %w", err)
			}
		}
	}
	for i := range q.headers {
		h := &q.headers[i].Hdr
		q.iovecs[i].Base = &q.bytes[i][0]
		q.iovecs[i].SetLen(receiveLen)
		h.Iov = &q.iovecs[i]
		h.SetIovlen(1)
		h.Control = (*byte)(unsafe.Pointer(&q.controls[i]))
		if q.v6 { // an IPv4 packet brings its own header
			h.Name = (*byte)(unsafe.Pointer(&q.names[i]))
		}
	}
	return nil
}

// admit empties the queue of what came in before the socket had a filter, and
// puts the real one on.
func (q *queue) admit(ports portRange) error {
	var err error
	var none [1]byte
	for err == nil {
		_, _, err = unix.Recvfrom(q.sleeper.fd, none[:], unix.MSG_DONTWAIT)
	}
	if !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("rawsock: open receive queue: %w", err)
	}
	info, _ := memory(uintptr(q.sleeper.fd)) // before Linux 4.12 it cannot be had, and stays 0
	q.dropsAt = info[unix.SK_MEMINFO_DROPS]
	q.dropsSeen.Store(q.dropsAt)
	return attach(q.sleeper.fd, answerFilter(q.v6, q.filter, ports))
}

// Receive waits for packets, writes at most 64 of them to into and returns their
// number, at least 1. Of a packet longer than 2048 bytes only those are given.
// What the entries point to is valid until the next Receive. One goroutine may
// call it. After Close of the Transport the error matches net.ErrClosed. It
// panics when there is no room in into.
func (q *queue) Receive(into []packet.Incoming) (int, error) {
	into = into[:min(len(into), batch)]
	_ = into[0]
	for i := range into {
		h := &q.headers[i].Hdr
		h.SetControllen(receiveControlLen)
		if q.v6 {
			h.Namelen = unix.SizeofSockaddrInet6
		}
	}
	got, err := q.sleeper.read(q.headers[:len(into)])
	if err != nil {
		select {
		case <-q.closed:
			err = net.ErrClosed
		default:
		}
		return 0, fmt.Errorf("rawsock: receive: %w", err)
	}
	for i := range into[:got] {
		q.fill(i, &into[i])
	}
	return got, nil
}

// Behind reports whether packets that have arrived may wait to be received, or
// whoever received them has not come back for more. Safe for concurrent use;
// after Close it says no.
func (q *queue) Behind() bool { return q.sleeper.behind() }

// fill describes the i-th packet received.
func (q *queue) fill(i int, in *packet.Incoming) {
	m := &q.headers[i]
	*in = packet.Incoming{
		Bytes:    q.bytes[i][:min(m.Len, receiveLen)],
		IPv6:     q.v6,
		Protocol: q.filter.Protocol,
	}
	if q.v6 && m.Hdr.Namelen >= unix.SizeofSockaddrInet6 {
		in.From = netip.AddrFrom16(q.names[i].Addr)
	}
	if m.Hdr.Flags&unix.MSG_TRUNC != 0 {
		q.truncated.Add(1)
	}
	readControl(controlBytes(q.controls[i][:], int(m.Hdr.Controllen)), in)
}

// drops returns how many packets the kernel had no room for since admit.
func (q *queue) drops() uint64 {
	// After close, the latest count stands.
	q.sleeper.use(func(fd int) {
		if info, err := memory(uintptr(fd)); err == nil {
			q.dropsSeen.Store(info[unix.SK_MEMINFO_DROPS])
		}
	})
	return uint64(q.dropsSeen.Load() - q.dropsAt)
}

// close wakes Receive.
func (q *queue) close() error {
	q.drops()
	if err := q.sleeper.close(); err != nil {
		return fmt.Errorf("rawsock: close receive queue: %w", err)
	}
	return nil
}
