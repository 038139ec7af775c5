package rawsock

import (
	"sync"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"probe-agent/packet"
)

// setAside is how many stamps settle can put aside for the next read.
const setAside = 4096

// maxDrains bounds how often the error queue is read in one call, a batch each
// time: what fills it may be forged errors that come as fast as they are read,
// and an emulated kernel may say that there is always more.
const maxDrains = 2 * setAside / batch

// Flags of SO_TIMESTAMPING. OPT_TSONLY spares the kernel the copy of the
// packet that would otherwise come with the stamp.
const (
	transmitFlags = unix.SOF_TIMESTAMPING_TX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE |
		unix.SOF_TIMESTAMPING_OPT_ID | unix.SOF_TIMESTAMPING_OPT_TSONLY
	receiveFlags = unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE
)

// stampControlLen has room for what comes with a stamp: a timestamp of 48
// bytes and an error description of 44 at most, each behind a header.
const stampControlLen = 192

// stampReader reads transmit stamps from the error queue of a sender's
// socket. Its fields are guarded by mu but for the atomic ones.
type stampReader struct {
	mu     sync.Mutex
	fd     int
	ledger *ledger // nil: the number in a stamp is the token
	off    bool    // no stamps are asked for, or the socket is closed
	aside  []packet.Stamp
	lost   atomic.Uint64
	// foreign counts ICMP errors in the queue. No probe has the protocol of the
	// sending sockets, so none of them is about one.
	foreign atomic.Uint64
	// due is how many stamps may still come, at least: a queue that owes none
	// need not be asked.
	due atomic.Int64

	headers  [batch]unix.Mmsghdr
	controls [batch][stampControlLen / 8]uint64 // aligned for control headers
}

func newStampReader(fd int) *stampReader {
	r := &stampReader{fd: fd, off: true, aside: make([]packet.Stamp, 0, setAside)}
	for i := range r.headers {
		r.headers[i].Hdr.Control = (*byte)(unsafe.Pointer(&r.controls[i]))
	}
	return r
}

// enable asks the kernel for stamps, numbered from 0.
func (r *stampReader) enable(l *ledger) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ledger = l
	err := r.arm()
	r.off = err != nil
	return err
}

// disable asks for stamps no longer.
func (r *stampReader) disable() {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Stamps that come nevertheless are not read.
	_ = unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, 0)
	r.ledger, r.off = nil, true
}

// arm switches stamps on. The kernel's counter restarts at 0 when OPT_ID was
// off before.
func (r *stampReader) arm() error {
	err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, transmitFlags&^unix.SOF_TIMESTAMPING_OPT_ID)
	if err != nil {
		return err
	}
	return unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, transmitFlags)
}

// read moves stamps to into and returns their number.
func (r *stampReader) read(into []packet.Stamp) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := copy(into, r.aside)
	r.aside = r.aside[:copy(r.aside, r.aside[n:])]
	for range maxDrains {
		got, more := r.drain(into[n:], false)
		n += got
		if !more || n == len(into) {
			break
		}
	}
	return n
}

// settle is called when the kernel refused a packet. The queue is emptied: an
// ICMP error in it may be why. The stamps of packets that went before are put
// aside; one that the refused packet may have got is not
// worth anything, since the packet can be sent again. Then the kernel's
// counter, which may or may not have counted it, is set to a known number.
func (r *stampReader) settle(refused uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for range maxDrains {
		var one [batch]packet.Stamp
		n, more := r.drain(one[:], true)
		for _, stamp := range one[:n] {
			switch {
			case stamp.TxID == refused:
				r.due.Add(1) // it was not counted as due
			case len(r.aside) == cap(r.aside):
				r.lost.Add(1)
			default:
				r.aside = append(r.aside, stamp)
			}
		}
		if !more {
			break
		}
	}
	if r.ledger == nil || r.off {
		return
	}
	r.ledger.restart()
	r.off = r.arm() != nil
}

// drain makes one system call, unless no stamp is due and it need not be made,
// and returns how many stamps it brought; more tells that there may be others.
func (r *stampReader) drain(into []packet.Stamp, always bool) (n int, more bool) {
	want := min(len(into), batch)
	if want == 0 || !always && (r.off || r.due.Load() <= 0) {
		return 0, false
	}
	for i := range r.headers[:want] {
		r.headers[i].Hdr.SetControllen(stampControlLen)
	}
	got, errno := receiveMessages(uintptr(r.fd), r.headers[:want], unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, false
	}
	for i := range r.headers[:got] {
		number, wall, ok, foreign := transmitStamp(controlBytes(r.controls[i][:], int(r.headers[i].Hdr.Controllen)))
		if foreign {
			r.foreign.Add(1)
		}
		if !ok || r.off {
			continue // some other local error, as of a packet over the MTU
		}
		r.due.Add(-1)
		if r.ledger != nil {
			if number, ok = r.ledger.take(number); !ok {
				r.lost.Add(1)
				continue
			}
		}
		into[n] = packet.Stamp{TxID: number, Wall: wall}
		n++
	}
	return n, got == want
}

// close frees the socket when no read is under way.
func (r *stampReader) close(free func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.off = true
	r.aside = r.aside[:0]
	return free()
}

// receiveMessages is recvmmsg(2) without waiting.
func receiveMessages(fd uintptr, headers []unix.Mmsghdr, flags uintptr) (int, syscall.Errno) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, fd, uintptr(unsafe.Pointer(&headers[0])), uintptr(len(headers)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
