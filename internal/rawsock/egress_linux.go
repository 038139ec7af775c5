package rawsock

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"

	"golang.org/x/sys/unix"
)

// egress is the interface that packets leave through when Options name one.
//
// Sending sockets are told its index as their IP_UNICAST_IF, not bound to it:
// an interface that is deleted and made again under its name (a VPN, a VLAN)
// has another index, and to bind a bound socket anew takes CAP_NET_RAW, which
// the process may have given up.
type egress struct {
	name string // empty: the routes decide

	mu    sync.Mutex
	index int // what the senders were told; 0 before
	over  bool
}

// learnEgress looks up which index the interface's name has now, through a
// socket of any sort, and follows it.
func (t *Transport) learnEgress(fd int) error {
	request, err := unix.NewIfreq(t.egress.name)
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return fmt.Errorf("rawsock: interface %s: %w", t.egress.name, err)
	}
	return t.follow(int(request.Uint32()))
}

// follow tells the senders of an interface when it is another one than they
// know of.
func (t *Transport) follow(index int) error {
	e := &t.egress
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return fmt.Errorf("rawsock: interface %s: %w", e.name, net.ErrClosed)
	}
	if e.index == index {
		return nil
	}
	var errs []error
	t.senders(func(s *sender) { errs = append(errs, s.leaveThrough(index)) })
	if err := errors.Join(errs...); err != nil {
		return err // the next caller tries again
	}
	e.index = index
	return nil
}

// forget ends follow; sockets may be closed after it.
func (e *egress) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
}

// leaveThrough makes a sender's packets take the routes of one interface. It
// may be called while packets are sent, and needs no privilege.
func (s *sender) leaveThrough(index int) error {
	level, option := unix.IPPROTO_IP, unix.IP_UNICAST_IF
	if s.v6 {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_UNICAST_IF
	}
	if err := unix.SetsockoptInt(s.fd, level, option, int(networkOrder(uint32(index)))); err != nil {
		return fmt.Errorf("rawsock: send through interface %d: %w", index, err)
	}
	return nil
}

// networkOrder returns the number whose bytes in memory are those of n in
// network order.
func networkOrder(n uint32) uint32 {
	return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, n))
}
