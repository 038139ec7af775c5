package prober

import (
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/strategy"
)

// batchSize is how many packets go into one system call.
const batchSize = 64

// runSender plans and builds the probes of all traces until Close, and gives
// them to the tx queues to send.
func (e *Engine) runSender() {
	for _, l := range e.txQueues {
		e.sender.Go(func() { l.run(e) })
	}
	defer func() {
		for _, l := range e.txQueues {
			close(l.full)
		}
	}()
	stamps := make([]packet.Stamp, 2*batchSize)
	behind := make([]bool, len(e.queues))
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		sleep := e.fill()
		posted := false
		for _, l := range e.txQueues {
			posted = e.post(l) || posted
		}
		e.drainStamps(stamps)
		if !e.listen(behind) && !posted && !e.pause(timer, sleep) {
			return
		}
	}
}

// post sends what a tx queue has to send, and reports whether it did. A whole
// batch goes to the tx queue's own goroutine, and the next one is built meanwhile:
// most of a probe's cost is the system call's. Less than that is sent here and
// now, unless the tx queue is busy: then the batch may still grow.
func (e *Engine) post(l *txQueue) bool {
	batch := l.filling
	switch {
	case batch == nil || batch.count == 0:
		return false
	case batch.count < batchSize && !l.idle():
		return false
	case batch.count < batchSize && e.attempt(l, batch):
		return true
	}
	l.filling = nil
	l.full <- batch // has room for every batch that can be on its way
	return true
}

// pause waits for the given time or for news, and reports false when the
// engine is closing.
func (e *Engine) pause(timer *time.Timer, sleep time.Duration) bool {
	timer.Reset(sleep)
	select {
	case <-timer.C:
	case <-e.wake:
	case <-e.stop:
		return false
	}
	return true
}

// fill adds due probes to the batches, registered and built, and returns how
// long the sender may sleep when there are none. Tx queues take turns, so that they
// share a limited rate; one whose batches are all on their way is passed over,
// and wakes the sender when it has one back.
func (e *Engine) fill() time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	e.hops.SetActive(len(e.running))
	e.schedule.wakeDue(now.mono)
	wake := mono.Forever
	if e.registry.Waiting() {
		e.registry.Expire(now.mono)
		wake = e.registry.NextExpiry()
	}
	for starved := 0; starved < len(e.txQueues); e.nextQueue++ {
		l := e.txQueues[e.nextQueue%len(e.txQueues)]
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

// nextSend returns the next trace of the tx queue that has a probe to send, and
// lets those before it do what else they want; nil when there is none, or no
// room for its probe.
func (e *Engine) nextSend(l *txQueue, now mono.Instant) (*trace, strategy.Step) {
	if !l.ready() {
		return nil, strategy.Step{}
	}
	for {
		t := e.schedule.pop(l.index)
		if t == nil {
			return nil, strategy.Step{}
		}
		if t.finished {
			continue
		}
		s := e.next(t, now)
		if s.Action != strategy.Send {
			e.follow(t, s, now)
			continue
		}
		if at := e.prefixes.ReadyAt(t.prefix, now, t.random); at > now {
			e.schedule.sleep(t, at)
			continue
		}
		return t, s
	}
}

// add registers and builds one probe. It counts as sent from now on, so that
// no answer can be faster.
func (e *Engine) add(batch *txBatch, t *trace, s strategy.Step, now mono.Instant) {
	e.rate.Take(now)
	flow, ttl := int(s.Flow), int(s.TTL)
	f := &t.flows[flow]
	e.hops.Take(ttl, f.egress, now)
	t.prefix.Take()
	t.register(flow, ttl, now, e.clock.epoch)
	n := f.template.Build(batch.buffers[batch.count][:], e.registry.Probe(&t.lease, flow, s.TTL))
	batch.packets[batch.count] = packet.Outgoing{
		Bytes:     batch.buffers[batch.count][:n],
		TxID:      t.lease.TxID(flow, s.TTL),
		Interface: f.egress.Interface,
	}
	batch.probes[batch.count] = outgoing{trace: t, flow: flow, ttl: ttl, prefix: t.prefix}
	batch.count++
}

// follow does what a step without a probe says.
func (e *Engine) follow(t *trace, s strategy.Step, now mono.Instant) {
	switch s.Action {
	case strategy.Finish:
		e.finish(t)
	case strategy.Listen:
		e.hearOut(t, s.Wake, now)
	case strategy.Allocate:
		e.want(t, s)
		e.schedule.push(t)
	default:
		e.schedule.sleep(t, s.Wake)
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
