package rawsock

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper waits for packets on a socket, in a system call of its own thread.
// The runtime's poller would be woken by every single packet, whether or not
// anybody waits; at full rate that costs more than the receiving.
type sleeper struct {
	fd   int
	bell int // an eventfd that close rings

	reading sync.Mutex // held by read
	pace    readPace
	polls   [2]unix.PollFd
	waiting atomic.Bool // the reader has found nothing and waits for more

	life   sync.Mutex // guards closed; held while fd must not be closed
	closed bool
}

// newSleeper returns a sleeper on a socket, which it owns from now on.
func newSleeper(fd int) (*sleeper, error) {
	bell, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("rawsock: eventfd: %w", err)
	}
	s := &sleeper{fd: fd, bell: bell}
	s.polls = [2]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(bell), Events: unix.POLLIN}}
	return s, nil
}

// read fills headers with at least one message. After close the error matches
// net.ErrClosed.
func (s *sleeper) read(headers []unix.Mmsghdr) (int, error) {
	s.reading.Lock()
	defer s.reading.Unlock()
	for {
		if s.isClosed() {
			return 0, net.ErrClosed
		}
		if rest := s.pace.rest(time.Now()); rest > 0 {
			time.Sleep(rest)
		}
		n, errno := receiveMessages(uintptr(s.fd), headers, unix.MSG_DONTWAIT)
		switch errno {
		case 0:
			s.pace.took(n, n == len(headers), time.Now())
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			s.waiting.Store(true)
			_, err := unix.Poll(s.polls[:], -1)
			s.waiting.Store(false)
			if err != nil && !errors.Is(err, unix.EINTR) {
				return 0, fmt.Errorf("rawsock: wait for packets: %w", err)
			}
		default:
			return 0, errno
		}
	}
}

// behind reports whether there is something to read, or what was read last has
// not been dealt with.
func (s *sleeper) behind() bool {
	behind := false
	s.use(func(fd int) {
		// In this order: what has been taken out of an empty socket has been
		// dealt with once the reader waits again.
		next, err := unix.IoctlGetInt(fd, unix.SIOCINQ)
		behind = err != nil || next > 0 || !s.waiting.Load()
	})
	return behind
}

func (s *sleeper) isClosed() bool {
	s.life.Lock()
	defer s.life.Unlock()
	return s.closed
}

// use calls f with the socket, unless it is closed.
func (s *sleeper) use(f func(fd int)) {
	s.life.Lock()
	defer s.life.Unlock()
	if !s.closed {
		f(s.fd)
	}
}

// close wakes read and frees the descriptors when it has gone. Further calls
// do nothing.
func (s *sleeper) close() error {
	s.life.Lock()
	was := s.closed
	s.closed = true
	s.life.Unlock()
	if was {
		return nil
	}
	_, err := unix.Write(s.bell, []byte{7: 1}) // a number of eight bytes, not zero in any byte order
	s.reading.Lock()
	defer s.reading.Unlock()
	return errors.Join(err, unix.Close(s.fd), unix.Close(s.bell))
}
