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

	headers  [batch]unix.Mmsghdr
	iovecs   [batch]unix.Iovec
	names4   [batch]unix.RawSockaddrInet4
	names6   [batch]unix.RawSockaddrInet6
	controls [batch]tokenControl
}

// tokenControl is the control message that gives a packet's stamp its token.
type tokenControl struct {
	header unix.Cmsghdr
	token  uint32
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
	source := options.Source4
	header, receiveErrors := [2]int{unix.IPPROTO_IP, unix.IP_HDRINCL}, [2]int{unix.IPPROTO_IP, unix.IP_RECVERR}
	if s.v6 {
		source = options.Source6
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
	// Before the socket is told an interface, since it sends to loopback.
	s.chooseStamps(options.stamps)
	return bindSource(s.fd, source)
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
		c := &s.controls[i].header
		c.Level, c.Type = unix.SOL_SOCKET, unix.SCM_TS_OPT_ID
		c.SetLen(unix.CmsgLen(4))
	}
}

// send sends at most a batch of packets of the sender's family.
func (s *sender) send(packets []packet.Outgoing) (int, error) {
	for i := range packets {
		s.load(i, &packets[i])
	}
	defer clear(s.iovecs[:len(packets)]) // hold on to no packet
	sent := 0
	for {
		n, errno := s.transmit(packets, sent)
		sent += n
		if sent == len(packets) {
			return sent, nil
		}
		// EAGAIN comes before the kernel looks at the packet. After any other
		// refusal it may or may not have numbered and even stamped it. Why it
		// stopped short of a whole batch it says on the next call only.
		if errno != unix.EAGAIN {
			s.stamps.settle(packets[sent].Token)
		}
		if errno != 0 {
			return sent, sendError(errno)
		}
	}
}

// load points the i-th message at a packet.
func (s *sender) load(i int, p *packet.Outgoing) {
	b := p.Bytes
	s.iovecs[i].Base = &b[0]
	s.iovecs[i].SetLen(len(b))
	if s.v6 {
		s.names6[i].Addr = [16]byte(b[24:ip6HeaderLen])
	} else {
		s.names4[i].Addr = [4]byte(b[16:ip4HeaderLen])
	}
	s.controls[i].token = p.Token
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
