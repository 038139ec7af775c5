package prober

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"probe-agent/packet"
)

// batchSize is how many packets go into one system call.
const batchSize = 64

// How the sender slows down when the network takes no more.
const (
	minBackoff = time.Millisecond
	maxBackoff = 20 * time.Millisecond
)

// outbox is a reused batch: packets and what they are.
type outbox struct {
	packets [batchSize]packet.Outgoing
	probes  [batchSize]outgoing
	buffers [batchSize][packet.MaxProbeLen]byte
	count   int
}

// outgoing tells which probe a packet of an outbox is.
type outgoing struct {
	trace     *trace
	flow, ttl int
}

// runSender plans, builds and sends the probes of all traces until Close. As
// long as there are whole batches to send, a second goroutine does the
// sending, and the next batch is built meanwhile: most of a probe's cost is
// the system call's, and one thread could do no more than make it.
func (e *Engine) runSender() {
	free := make(chan *outbox, 2)
	full := make(chan *outbox)
	e.sender.Go(func() {
		for box := range full {
			e.transmit(box)
			free <- box
		}
	})
	defer close(full)
	free <- &outbox{}
	free <- &outbox{}
	stamps := make([]packet.Stamp, 2*batchSize)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		box := <-free
		rest := e.fill(box)
		switch {
		case box.count == batchSize:
			full <- box
			e.drainStamps(stamps)
			continue
		case box.count > 0:
			e.transmit(box)
			e.drainStamps(stamps)
			free <- box
			continue
		}
		free <- box
		if !e.pause(timer, rest) {
			return
		}
	}
}

// transmit sends all of the box. It waits while the network takes no more,
// and gives up what is left when the engine closes.
func (e *Engine) transmit(box *outbox) {
	e.transmitting.Lock()
	defer e.transmitting.Unlock()
	backoff := minBackoff
	for {
		e.depart(box)
		if box.count == 0 {
			return
		}
		sent, err := e.transport.Send(box.packets[:box.count])
		if !e.settle(box, sent, err) {
			backoff = minBackoff
			continue
		}
		select {
		case <-time.After(backoff):
		case <-e.stop:
			box.count = 0
		}
		backoff = min(maxBackoff, 2*backoff)
	}
}

// depart gives the probes in the box the time at which they really leave.
func (e *Engine) depart(box *outbox) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	box.refresh(now.mono, e.clock.epoch)
}

// pause waits for the given time or for news, and reports false when the
// engine is closing.
func (e *Engine) pause(timer *time.Timer, rest time.Duration) bool {
	timer.Reset(rest)
	select {
	case <-timer.C:
	case <-e.wake:
	case <-e.stop:
		return false
	}
	return true
}

// fill adds due probes to the outbox, registered and built, and returns how
// long the sender may sleep when there are none.
func (e *Engine) fill(box *outbox) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.near.crowd = len(e.running)
	e.schedule.wakeDue(now.mono)
	wake := forever
	for box.count < batchSize {
		t := e.schedule.pop()
		if t == nil {
			break
		}
		if t.finished {
			continue
		}
		s := t.next(now.mono, e.near)
		if s.action == send {
			if at := e.rate.opens(); at > now.mono {
				e.schedule.push(t)
				e.totals.Held++
				wake = at
				break
			}
			if at := e.prefixes.opens(t, now.mono); at > now.mono {
				e.schedule.sleep(t, at)
				continue
			}
			e.add(box, t, s, now.mono)
			e.schedule.push(t)
			continue
		}
		e.follow(t, s)
	}
	wake = min(wake, e.schedule.nextWake())
	e.sleeping = wake
	if wake == forever {
		return time.Hour
	}
	return max(0, wake.since(now.mono))
}

// add registers and builds one probe. It counts as sent from now on, so that
// no answer can be faster.
func (e *Engine) add(box *outbox, t *trace, s step, now instant) {
	e.rate.take(now)
	e.near.take(s.ttl, t.source, now)
	e.prefixes.take(t, now)
	mark := t.reserve(s.flow, s.ttl, now, e.clock.epoch, e.identity)
	f := &t.flows[s.flow]
	n := f.template.Build(box.buffers[box.count][:], mark)
	box.packets[box.count] = packet.Outgoing{
		Bytes: box.buffers[box.count][:n],
		Token: token(spaceOf(t.typ), f.handle, uint8(s.ttl)),
	}
	box.probes[box.count] = outgoing{trace: t, flow: s.flow, ttl: s.ttl}
	box.count++
}

// follow does what a step without a probe says.
func (e *Engine) follow(t *trace, s step) {
	if s.action == finish {
		e.finish(t)
		return
	}
	e.schedule.sleep(t, s.wake)
}

// refresh sets the time of sending, and drops what belongs to traces that have
// ended.
func (box *outbox) refresh(now instant, epoch uint16) {
	kept := 0
	for i := range box.count {
		p := box.probes[i]
		if p.trace.finished {
			continue
		}
		p.trace.slot(p.flow, p.ttl).sent = sending{user: now, epoch: epoch}
		box.move(kept, i)
		kept++
	}
	box.count = kept
}

// move puts packet i, with its bytes, into place to.
func (box *outbox) move(to, i int) {
	if to == i {
		return
	}
	n := copy(box.buffers[to][:], box.packets[i].Bytes)
	box.packets[to] = packet.Outgoing{Bytes: box.buffers[to][:n], Token: box.packets[i].Token}
	box.probes[to] = box.probes[i]
}

// settle counts what was sent, takes back what was refused, keeps what has to
// be tried again, and reports whether the network is too busy for now.
func (e *Engine) settle(box *outbox, sent int, err error) (busy bool) {
	e.sent.Add(uint64(sent))
	if sent == box.count { // as always but in trouble, when a lock does no harm
		box.count = 0
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	skip := sent
	switch {
	case err == nil:
	case errors.Is(err, syscall.EAGAIN), errors.Is(err, syscall.ENOBUFS):
		e.totals.Busy++
		busy = true
	default:
		e.refused(box.probes[sent], err)
		skip++
	}
	kept := 0
	for i := skip; i < box.count; i++ {
		box.move(kept, i)
		kept++
	}
	box.count = kept
	return busy
}

// A probe that the host refuses is tried again: rules and routes may be in
// the middle of a change. After refusalLimit refusals, with no answer between
// them, the trace is given up.
const refusalLimit = 3

func (e *Engine) refused(p outgoing, err error) {
	t := p.trace
	e.totals.Refused++
	t.withdraw(p.flow, p.ttl)
	t.refusals++
	if t.refusals >= refusalLimit {
		t.err = fmt.Errorf("prober: probe to %v not sent: %w", t.target, err)
		e.finish(t)
		if t.twin != nil {
			t.twin.err = t.err
			e.finish(t.twin)
		}
	}
}

// rouse wakes the sender when it sleeps longer than until at. The caller
// holds mu.
func (e *Engine) rouse(at instant) {
	if at >= e.sleeping {
		return
	}
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
