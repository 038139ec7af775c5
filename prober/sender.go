package prober

import (
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// batchSize is how many packets go into one system call.
const batchSize = 64

// runSender plans and builds the probes of all traces until Close, and gives
// them to the lanes to send.
func (e *Engine) runSender() {
	for _, l := range e.lanes {
		e.sender.Go(func() { l.run(e) })
	}
	defer func() {
		for _, l := range e.lanes {
			close(l.full)
		}
	}()
	stamps := make([]packet.Stamp, 2*batchSize)
	behind := make([]bool, len(e.queues))
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		rest := e.fill()
		posted := false
		for _, l := range e.lanes {
			posted = e.post(l) || posted
		}
		e.drainStamps(stamps)
		if !e.listen(behind) && !posted && !e.pause(timer, rest) {
			return
		}
	}
}

// post sends what a lane has to send, and reports whether it did. A whole
// batch goes to the lane's own goroutine, and the next one is built meanwhile:
// most of a probe's cost is the system call's. Less than that is sent here and
// now, unless the lane is busy: then the batch may still grow.
func (e *Engine) post(l *lane) bool {
	box := l.filling
	switch {
	case box == nil || box.count == 0:
		return false
	case box.count < batchSize && !l.idle():
		return false
	case box.count < batchSize && e.attempt(l, box):
		return true
	}
	l.filling = nil
	l.full <- box // has room for every outbox that can be on its way
	return true
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

// fill adds due probes to the outboxes, registered and built, and returns how
// long the sender may sleep when there are none. Lanes take turns, so that they
// share a limited rate; one whose outboxes are all on their way is passed over,
// and wakes the sender when it has one back.
func (e *Engine) fill() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.hops.SetActive(len(e.running))
	e.schedule.wakeDue(now.mono)
	wake := mono.Forever
	if e.identity.waiting() {
		e.identity.expire(now.mono)
		wake = e.identity.nextExpiry()
	}
	for starved := 0; starved < len(e.lanes); e.turn++ {
		l := e.lanes[e.turn%len(e.lanes)]
		t, s := e.nextSend(l, now.mono)
		if t == nil {
			starved++
			continue
		}
		if at := e.rate.ReadyAt(); at > now.mono {
			e.schedule.push(t)
			e.totals.Held++
			wake = min(wake, at)
			break
		}
		e.add(l.filling, t, s, now.mono)
		e.schedule.push(t)
		starved = 0
	}
	wake = min(wake, e.schedule.nextWake())
	e.sleeping = wake
	if wake == mono.Forever {
		return time.Hour
	}
	return max(0, wake.Since(now.mono))
}

// nextSend returns the next trace of the lane that has a probe to send, and
// lets those before it do what else they want; nil when there is none, or no
// room for its probe.
func (e *Engine) nextSend(l *lane, now mono.Instant) (*trace, step) {
	if !l.ready() {
		return nil, step{}
	}
	for {
		t := e.schedule.pop(l.index)
		if t == nil {
			return nil, step{}
		}
		if t.finished {
			continue
		}
		s := e.next(t, now)
		if s.action == retryNow {
			t.startRetry(e.identity, now)
			e.schedule.push(t)
			continue
		}
		if s.action != send {
			e.follow(t, s, now)
			continue
		}
		if at := e.prefixes.ReadyAt(t.prefix, now, t.turn); at > now {
			e.schedule.sleep(t, at)
			continue
		}
		return t, s
	}
}

// add registers and builds one probe. It counts as sent from now on, so that
// no answer can be faster.
func (e *Engine) add(box *outbox, t *trace, s step, now mono.Instant) {
	e.rate.Take(now)
	f := t.flowAt(s.flow)
	e.hops.Take(s.ttl, f.egress, now)
	t.prefix.Take()
	mark := t.reserve(s.flow, s.ttl, now, e.clock.epoch, e.identity)
	n := f.template.Build(box.buffers[box.count][:], mark)
	box.packets[box.count] = packet.Outgoing{
		Bytes:     box.buffers[box.count][:n],
		Token:     token(spaceOf(t.typ), f.handle, uint8(s.ttl)),
		Interface: f.egress.Interface,
	}
	box.probes[box.count] = outgoing{trace: t, flow: s.flow, ttl: s.ttl, prefix: t.prefix}
	box.count++
}

// follow does what a step without a probe says.
func (e *Engine) follow(t *trace, s step, now mono.Instant) {
	switch s.action {
	case finish:
		e.finish(t)
	case listen:
		e.hearOut(t, s.wake, now)
	default:
		e.schedule.sleep(t, s.wake)
	}
}

// rouse wakes the sender when it sleeps longer than until at. The caller
// holds mu.
func (e *Engine) rouse(at mono.Instant) {
	if at < e.sleeping {
		e.poke()
	}
}

// poke wakes the sender.
func (e *Engine) poke() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
