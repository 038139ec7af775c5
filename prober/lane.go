package prober

import (
	"time"

	"probe-agent/packet"
)

// lane is one way into the network, with a goroutine of its own: while it is in
// the system call for one batch, others are in theirs, and the sender builds.
// A trace keeps to one lane, because packets of two lanes may overtake each
// other.
type lane struct {
	index   int
	sender  packet.Sender
	filling *outbox      // the sender's; nil while all outboxes are on their way
	free    chan *outbox // back from sending
	full    chan *outbox
}

// laneBoxes is how many outboxes a lane has: one being filled, one being sent.
const laneBoxes = 2

func newLane(index int, sender packet.Sender) *lane {
	l := &lane{index: index, sender: sender, free: make(chan *outbox, laneBoxes), full: make(chan *outbox, laneBoxes)}
	for range laneBoxes {
		l.free <- &outbox{}
	}
	return l
}

// run sends what comes until full is closed.
func (l *lane) run(e *Engine) {
	for box := range l.full {
		e.transmit(l, box)
		l.free <- box
		e.poke()
	}
}

// ready reports whether there is room for a probe in the outbox being filled.
func (l *lane) ready() bool {
	if l.filling == nil {
		select {
		case l.filling = <-l.free:
		default:
			return false
		}
	}
	return l.filling.count < batchSize
}

// idle reports whether nothing of the lane is being sent. Its goroutine only
// ever makes that true.
func (l *lane) idle() bool {
	out := laneBoxes - len(l.free)
	if l.filling != nil {
		out--
	}
	return out == 0
}

// transmit sends all of the box. It waits while the network takes no more,
// and gives up what is left when the engine closes.
func (e *Engine) transmit(l *lane, box *outbox) {
	backoff := minBackoff
	for {
		before := box.count
		if e.attempt(l, box) {
			return
		}
		if box.count < before {
			backoff = minBackoff
		}
		select {
		case <-time.After(backoff):
		case <-e.stop:
			box.count = 0
		}
		backoff = min(maxBackoff, 2*backoff)
	}
}

// attempt sends what the network takes of the box, and reports whether that
// was all. It does not wait.
func (e *Engine) attempt(l *lane, box *outbox) bool {
	for {
		e.depart(box)
		if box.count == 0 {
			return true
		}
		sent, err := l.sender.Send(box.packets[:box.count])
		if e.settle(box, sent, err) {
			return false
		}
	}
}

// depart gives the probes in the box the time at which they really leave.
func (e *Engine) depart(box *outbox) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	box.refresh(now.mono, e.clock.epoch)
}
