package prober

import (
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
)

// txQueue is one sender of the transport, with a goroutine of its own: while it
// is in the system call for one batch, others are in theirs, and the engine
// builds. A trace keeps to one tx queue, because packets of two may overtake each
// other.
type txQueue struct {
	index   int
	sender  packet.Sender
	filling *txBatch      // the sender's; nil while all batches are on their way
	free    chan *txBatch // back from sending
	full    chan *txBatch
}

// queueBatches is how many batches a tx queue has: one being filled, one being
// sent.
const queueBatches = 2

func newTxQueue(index int, sender packet.Sender) *txQueue {
	q := &txQueue{index: index, sender: sender, free: make(chan *txBatch, queueBatches), full: make(chan *txBatch, queueBatches)}
	for range queueBatches {
		q.free <- &txBatch{}
	}
	return q
}

// run sends what comes until full is closed.
func (q *txQueue) run(e *Engine) {
	for batch := range q.full {
		e.transmit(q, batch)
		q.free <- batch
		e.poke()
	}
}

// ready reports whether there is room for a probe in the batch being filled.
func (q *txQueue) ready() bool {
	if q.filling == nil {
		select {
		case q.filling = <-q.free:
		default:
			return false
		}
	}
	return q.filling.count < batchSize
}

// idle reports whether nothing of the tx queue is being sent. Its goroutine only
// ever makes that true.
func (q *txQueue) idle() bool {
	out := queueBatches - len(q.free)
	if q.filling != nil {
		out--
	}
	return out == 0
}

// transmit sends all of the batch. It waits while the network takes no more,
// and gives up what is left when the engine closes.
func (e *Engine) transmit(q *txQueue, batch *txBatch) {
	backoff := minBackoff
	for {
		before := batch.count
		if e.attempt(q, batch) {
			return
		}
		if batch.count < before {
			backoff = minBackoff
		}
		select {
		case <-time.After(backoff):
		case <-e.stop:
			batch.count = 0
		}
		backoff = min(maxBackoff, 2*backoff)
	}
}

// attempt sends what the network takes of the batch, and reports whether that
// was all. It does not wait.
func (e *Engine) attempt(q *txQueue, batch *txBatch) bool {
	for {
		e.depart(batch)
		if batch.count == 0 {
			return true
		}
		sent, err := q.sender.Send(batch.packets[:batch.count])
		if e.settle(batch, sent, err) {
			return false
		}
	}
}

// depart gives the probes in the batch the time at which they really leave.
func (e *Engine) depart(batch *txBatch) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	batch.refresh(now.mono, e.clock.epoch)
}

// txBatch is a reused batch: packets and what they are.
type txBatch struct {
	packets [batchSize]packet.Outgoing
	probes  [batchSize]outgoing
	buffers [batchSize][packet.MaxProbeLen]byte
	count   int
}

// outgoing tells which probe a packet of a batch is.
type outgoing struct {
	trace     *trace
	flow, ttl int
	prefix    *pacing.PrefixCount // which it counts for, also when its trace has left that; may be nil
}

// refresh sets the time of sending, and drops probes of traces that have ended
// and probes past the end of a path that has become known since they were
// built.
func (batch *txBatch) refresh(now mono.Instant, epoch uint16) {
	kept := 0
	for i := range batch.count {
		p := batch.probes[i]
		if p.trace.finished {
			p.prefix.Cancel()
			continue
		}
		if !p.trace.strategy.Wants(p.flow, p.ttl) {
			p.trace.withdraw(p.flow, p.ttl)
			p.prefix.Cancel()
			continue
		}
		p.trace.departs(p.flow, p.ttl, sending{user: now, epoch: epoch}) // a stamp is of a sending that failed
		batch.move(kept, i)
		kept++
	}
	batch.count = kept
}

// paced reports whether any of the batch's probes counts for a pace.
func (batch *txBatch) paced() bool {
	for i := range batch.count {
		if batch.probes[i].prefix != nil {
			return true
		}
	}
	return false
}

// keep drops what wanted, which is asked once of each packet in order, does
// not want.
func (batch *txBatch) keep(wanted func(i int) bool) {
	kept := 0
	for i := range batch.count {
		if wanted(i) {
			batch.move(kept, i)
			kept++
		}
	}
	batch.count = kept
}

// move puts packet i, with its bytes, into place to.
func (batch *txBatch) move(to, i int) {
	if to == i {
		return
	}
	p := batch.packets[i]
	p.Bytes = batch.buffers[to][:copy(batch.buffers[to][:], p.Bytes)]
	batch.packets[to] = p
	batch.probes[to] = batch.probes[i]
}
