package rawsock

import (
	"errors"
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// defaultSendBuffer is what packets on their way to the wire may take up. The
// kernel keeps those for an unresolved neighbour for up to three seconds, so
// a few dead hosts on the link could fill a small buffer and stall all else.
const defaultSendBuffer = 4 << 20

// sendError says why the kernel refused a packet. It is a plain number, so
// that a full queue costs no allocation.
type sendError syscall.Errno

func (e sendError) Error() string { return "rawsock: send: " + syscall.Errno(e).Error() }
func (e sendError) Unwrap() error { return syscall.Errno(e) }

// sender sends the packets of one family. It is not registered with the
// runtime's poller: every transmit stamp would wake that.
type sender struct {
	fd      int
	v6      bool
	mode    stampMode
	buffer  int
	started time.Time
	stamps  *stampReader
	ledger  *ledger // stampCounter only

	protocol bool // the kernel takes the protocol that it is to look packets up by
	foreign  bool // see takesForeign

	headers   [batch]unix.Mmsghdr
	iovecs    [batch]unix.Iovec
	names4    [batch]unix.RawSockaddrInet4
	names6    [batch]unix.RawSockaddrInet6
	controls4 [batch]control4
	controls6 [batch]control6
}

// openSender opens the sending socket of a family.
func openSender(options *Options, domain int, started time.Time) (*sender, error) {
	fd, err := openRaw(options, domain, unix.IPPROTO_RAW)
	if err != nil {
		return nil, err
	}
	s := &sender{fd: fd, v6: domain == unix.AF_INET6, started: started}
	if err := s.setUp(options); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return s, nil
}

func (s *sender) setUp(options *Options) error {
	header, receiveErrors := [2]int{unix.IPPROTO_IP, unix.IP_HDRINCL}, [2]int{unix.IPPROTO_IP, unix.IP_RECVERR}
	if s.v6 {
		// A source address that the host has lost since the trace began is no
		// error of IPv6 either. Kernels before 4.15 do not know the option.
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_FREEBIND, 1)
		header, receiveErrors = [2]int{unix.IPPROTO_IPV6, unix.IPV6_HDRINCL}, [2]int{unix.IPPROTO_IPV6, unix.IPV6_RECVERR}
	}
	// Without RECVERR, a packet dropped by the device's queue counts as sent.
	for _, option := range [...][2]int{header, receiveErrors} {
		if err := unix.SetsockoptInt(s.fd, option[0], option[1], 1); err != nil {
			return fmt.Errorf("rawsock: set up sending socket: %w", err)
		}
	}
	// Stamps wait in the receive buffer.
	if _, err := setReceiveBuffer(s.fd, options.ReceiveBuffer); err != nil {
		return err
	}
	bytes := options.sendBuffer
	if bytes == 0 {
		bytes = defaultSendBuffer
	}
	var err error
	if s.buffer, err = setSendBuffer(s.fd, bytes); err != nil {
		return err
	}
	s.link()
	s.stamps = newStampReader(s.fd)
	s.protocol = !options.plainLookup && s.takesProtocol()
	s.chooseStamps(options.stamps)
	s.foreign = s.takesForeign()
	return nil
}

// link connects the arrays that sendmmsg walks.
func (s *sender) link() {
	for i := range s.headers {
		h := &s.headers[i].Hdr
		h.Iov = &s.iovecs[i]
		h.SetIovlen(1)
		if s.v6 {
			s.names6[i].Family = unix.AF_INET6
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names6[i])), unix.SizeofSockaddrInet6
		} else {
			s.names4[i].Family = unix.AF_INET
			h.Name, h.Namelen = (*byte)(unsafe.Pointer(&s.names4[i])), unix.SizeofSockaddrInet4
		}
		s.controls4[i].init()
		s.controls6[i].init()
		h.Control = s.controlOf(i)
	}
}

// maxDoubts is how often in a row a packet may fail to go for what others say
// by ICMP before all packets wait a while.
const maxDoubts = 16

// send sends at most a batch of packets of the sender's family. A packet is
// refused when it is so twice in a row and no ICMP error has come meanwhile:
// to kernels from before February 2026, an ICMP error that quotes protocol 255,
// which anybody can send, fails the next packet, whichever that is.
func (s *sender) send(packets []packet.Outgoing) (int, error) {
	for i := range packets {
		s.load(i, &packets[i])
	}
	defer clear(s.iovecs[:len(packets)]) // hold on to no packet
	sent, refused, doubts := 0, false, 0 // refused: packets[sent] was, once
	for {
		foreign := s.stamps.foreign.Load()
		n, errno := s.transmit(packets, sent)
		if sent += n; n > 0 {
			refused, doubts = false, 0
		}
		if sent == len(packets) {
			return sent, nil
		}
		// EAGAIN comes before the kernel looks at the packet. After any other
		// refusal it may or may not have numbered and even stamped it. Why it
		// stopped short of a whole batch it says on the next call only.
		if errno != unix.EAGAIN {
			s.stamps.settle(packets[sent].TxID)
		}
		doubted := s.stamps.foreign.Load() != foreign
		switch {
		case errno == unix.EAGAIN, errno == unix.ENOBUFS: // no ICMP error has these numbers
			return sent, sendError(errno)
		case !doubted && refused && errno != 0:
			return sent, sendError(errno)
		case doubts == maxDoubts:
			return sent, sendError(unix.EAGAIN)
		}
		refused = !doubted
		doubts++
	}
}

// load points the i-th message at a packet.
func (s *sender) load(i int, p *packet.Outgoing) {
	b := p.Bytes
	s.iovecs[i].Base = &b[0]
	s.iovecs[i].SetLen(len(b))
	if s.v6 {
		s.names6[i].Addr = [16]byte(b[24:ip6HeaderLen])
		s.names6[i].Port = 0
		if s.protocol {
			s.names6[i].Port = port16(uint16(b[6]))
		}
		c := &s.controls6[i]
		c.info.Addr, c.info.Ifindex, c.token = [16]byte(b[8:24]), uint32(p.Interface), p.TxID
		if p.Interface != 0 {
			c.info.Addr = [16]byte{} // with a source, an interface is a mere preference
		}
		return
	}
	s.names4[i].Addr = [4]byte(b[16:ip4HeaderLen])
	c := &s.controls4[i]
	c.info.Spec_dst, c.info.Ifindex, c.token = [4]byte(b[12:16]), int32(p.Interface), p.TxID
	if s.protocol {
		c.protocol = int32(b[9])
	}
}

// transmit makes one system call for the loaded packets from the given one
// on. It returns either a count above 0 or an error number.
func (s *sender) transmit(packets []packet.Outgoing, from int) (int, syscall.Errno) {
	if s.ledger != nil {
		s.ledger.reserve(packets[from:], time.Since(s.started))
	}
	// Before the call: the first stamps are there long before it returns.
	due := int64(len(packets) - from)
	s.stamps.due.Add(due)
	var r uintptr
	errno := unix.EINTR
	for errno == unix.EINTR {
		r, _, errno = unix.Syscall6(unix.SYS_SENDMMSG, uintptr(s.fd), uintptr(unsafe.Pointer(&s.headers[from])),
			uintptr(len(packets)-from), unix.MSG_DONTWAIT, 0, 0)
	}
	if errno != 0 {
		r = 0
	}
	s.stamps.due.Add(int64(r) - due)
	if s.ledger != nil {
		s.ledger.commit(len(packets)-from, int(r))
	}
	return int(r), errno
}

func (s *sender) close() error {
	return s.stamps.close(func() error { return unix.Close(s.fd) })
}
