package netsim

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// TUN is a network device with a simulated network behind it, so that real
// sockets can probe it.
//
// One goroutine, locked to its thread, reads the device and writes answers
// when they are due. It does not use the runtime's timers, which may be late
// by a millisecond when a thread sits in the network poller: it waits in
// ppoll(2), with a timer slack of 1 ns, real-time priority if it is allowed to
// (CAP_SYS_NICE), and polls through the last 60 µs. Answers then leave
// within some tens of microseconds of their time. What remains is the time
// until a packet is read, and until the runtime has a processor for the
// goroutine: to measure an RTT finely, run the network in a process of its
// own.
type TUN struct {
	start   time.Time
	device  int // descriptor, not blocking
	wake    int // descriptor of an eventfd that ends the loop
	closing sync.Once
	done    chan struct{} // closed when the loop has ended
	ended   atomic.Bool
	next    atomic.Pointer[succession] // to take over when the loop wakes

	// Of the loop's goroutine, until it has ended.
	network  succession
	schedule schedule
	buffer   []byte
	err      error
}

// succession is a network and when its time began, since the device's start.
type succession struct {
	carrier Carrier
	since   time.Duration
	taken   chan struct{} // closed when the loop has it
}

// How late a processor wakes after a long and after a short sleep: seen on
// virtual machines, 200 µs and 50 µs.
const (
	oversleep = 300 * time.Microsecond
	spin      = 60 * time.Microsecond
)

// readBurst is how many packets are read before answers get their turn.
const readBurst = 32

// OpenTUN makes a TUN device of the given name in the network namespace of
// the calling thread, gives it the host's source address, routes into it
// every address that occurs in the network's scenario (the whole address
// plan, if one of its addresses does), and starts the network. It needs
// CAP_NET_ADMIN. Real addresses in a scenario are then out of reach, so use a
// namespace made for it. The network is used by nobody else until Close.
func OpenTUN(name string, network *Network) (*TUN, error) {
	device, err := makeDevice(name)
	if err != nil {
		return nil, fmt.Errorf("netsim: device %s: %w", name, err)
	}
	if err := configure(name, network); err != nil {
		return nil, errors.Join(fmt.Errorf("netsim: device %s: %w", name, err), unix.Close(device))
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("netsim: eventfd: %w", err), unix.Close(device))
	}
	t := &TUN{
		start: time.Now(), device: device, wake: wake, done: make(chan struct{}),
		network: succession{carrier: network}, buffer: make([]byte, 1<<16),
	}
	go t.run()
	return t, nil
}

// Start is what the network's times count from.
func (t *TUN) Start() time.Time { return t.start }

// Replace puts another network behind the device, whose time begins now.
// Answers of the one before that are still on their way are dropped. Addresses
// and routes of the device stay as they are, so both networks should use the
// address plan. Only one goroutine may call Replace, and not after Close.
func (t *TUN) Replace(network *Network) error {
	next := &succession{carrier: network, since: time.Since(t.start), taken: make(chan struct{})}
	t.next.Store(next)
	if err := t.rouse(); err != nil {
		return fmt.Errorf("netsim: replace network: %w", err)
	}
	select {
	case <-next.taken:
		return nil
	case <-t.done:
		return fmt.Errorf("netsim: replace network: %w", t.err)
	}
}

// rouse wakes the loop.
func (t *TUN) rouse() error {
	// Eight bytes of 1 are not 0 in either byte order.
	_, err := unix.Write(t.wake, []byte{1, 1, 1, 1, 1, 1, 1, 1})
	return err
}

// Close removes the device. Answers still on their way are dropped. The error
// is what ended the network before, if anything did.
func (t *TUN) Close() error {
	t.closing.Do(func() {
		t.ended.Store(true)
		err := t.rouse()
		<-t.done
		t.err = errors.Join(t.err, err, unix.Close(t.device), unix.Close(t.wake))
	})
	return t.err
}

func (t *TUN) run() {
	defer close(t.done)
	// Never unlocked: the thread and its timer slack end with the goroutine.
	runtime.LockOSThread()
	becomePrompt()
	for {
		ended, err := t.wait()
		if ended || err != nil {
			t.err = err
			return
		}
		for range readBurst {
			t.writeDue()
			if more, err := t.readOne(); err != nil {
				t.err = err
				return
			} else if !more {
				break
			}
		}
		t.writeDue()
	}
}

// becomePrompt has the kernel wake this thread on time and before all others,
// since a network would not wait for the processor either. Whatever of that
// is not allowed is done without: answers are later then, and right. Threads
// made from this one do not inherit it.
func becomePrompt() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	_ = unix.SchedSetAttr(0, &unix.SchedAttr{
		Size:     unix.SizeofSchedAttr,
		Policy:   unix.SCHED_FIFO,
		Priority: 1,
		Flags:    unix.SCHED_FLAG_RESET_ON_FORK,
	}, 0)
}

// sleep is how long to sleep towards something due in a while: processors wake
// the later the longer they slept, so it is done in two steps, and the rest is
// spent polling.
func sleep(until time.Duration) time.Duration {
	switch {
	case until > oversleep:
		return until - oversleep
	case until > spin:
		return until - spin
	}
	return 0
}

// wait returns when there is something to read or to write, or true when the
// loop is to end.
func (t *TUN) wait() (ended bool, err error) {
	fds := []unix.PollFd{{Fd: int32(t.device), Events: unix.POLLIN}, {Fd: int32(t.wake), Events: unix.POLLIN}}
	var timeout *unix.Timespec
	if due, ok := t.schedule.next(); ok {
		ts := unix.NsecToTimespec(int64(sleep(due - time.Since(t.start))))
		timeout = &ts
	}
	_, err = unix.Ppoll(fds, timeout, nil)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return true, fmt.Errorf("netsim: ppoll: %w", err)
	}
	if err == nil && fds[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) != 0 {
		// The device is gone or down: a read says which.
		if _, err := unix.Read(t.device, t.buffer); err != nil && !retryable(err) {
			return true, fmt.Errorf("netsim: read: %w", err)
		}
	}
	if err == nil && fds[1].Revents != 0 {
		_, _ = unix.Read(t.wake, t.buffer[:8]) // it only counts
		t.takeOver()
	}
	return t.ended.Load(), nil
}

// takeOver puts the next network into place, if there is one.
func (t *TUN) takeOver() {
	if next := t.next.Swap(nil); next != nil {
		t.network = *next
		t.schedule = schedule{}
		close(next.taken)
	}
}

// readOne takes a packet from the device; false when there is none.
func (t *TUN) readOne() (bool, error) {
	n, err := unix.Read(t.device, t.buffer)
	if err != nil {
		if retryable(err) {
			return false, nil
		}
		return false, fmt.Errorf("netsim: read: %w", err)
	}
	at := time.Since(t.start)
	for _, d := range t.network.carrier.Receive(at-t.network.since, t.buffer[:n]) {
		t.schedule.add(at+d.After, d.Bytes)
	}
	return true, nil
}

func retryable(err error) bool {
	return errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR)
}

// writeDue writes what is due. A packet that the kernel refuses is lost, as
// on any link: it refuses when the device is down or its own queue full.
func (t *TUN) writeDue() {
	for {
		packet, ok := t.schedule.take(time.Since(t.start))
		if !ok {
			return
		}
		_, _ = unix.Write(t.device, packet)
	}
}
