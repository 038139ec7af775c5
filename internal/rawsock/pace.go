package rawsock

import "time"

// When packets come thick and fast, reading each as it comes wakes a thread
// for each. So from busyPackets per paceSpan on, reads are at least paceRest
// apart and take what has gathered. An answer's time is the kernel's, so only
// the trace's next step waits, and only on a busy agent; the receive buffer
// holds far more than comes in that time.
const (
	paceSpan    = time.Millisecond
	busyPackets = 16
	paceRest    = paceSpan / 2
)

// readPace decides when to rest between two reads. The zero value is ready.
type readPace struct {
	span  time.Time // when the present span began
	count int       // packets in it
	busy  bool      // the span before it was busy
	full  bool      // the latest read left packets behind
}

// took counts n packets read at now. full says that there may be more.
func (p *readPace) took(n int, full bool, now time.Time) {
	if passed := now.Sub(p.span); passed >= paceSpan {
		p.busy = p.count >= busyPackets && passed < 4*paceSpan
		p.span, p.count = now, 0
	}
	p.count += n
	p.full = full
}

// rest returns how long to wait before the next read.
func (p *readPace) rest(now time.Time) time.Duration {
	if p.full || !p.busy && p.count < busyPackets || now.Sub(p.span) >= 4*paceSpan {
		return 0
	}
	return paceRest
}
