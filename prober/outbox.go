package prober

import (
	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
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
	prefix    *pacing.PrefixCount // which it counts for, also when its trace has left that; may be nil
}

// refresh sets the time of sending, and drops probes of traces that have ended
// and probes past the end of a path that has become known since they were
// built.
func (box *outbox) refresh(now mono.Instant, epoch uint16) {
	kept := 0
	for i := range box.count {
		p := box.probes[i]
		if p.trace.finished {
			p.prefix.Cancel()
			continue
		}
		if !p.trace.strategy.Wants(p.flow, p.ttl) {
			p.trace.withdraw(p.flow, p.ttl)
			p.prefix.Cancel()
			continue
		}
		p.trace.departs(p.flow, p.ttl, now, epoch)
		box.move(kept, i)
		kept++
	}
	box.count = kept
}

// paced reports whether any of the box's probes counts for a pace.
func (box *outbox) paced() bool {
	for i := range box.count {
		if box.probes[i].prefix != nil {
			return true
		}
	}
	return false
}

// keep drops what wanted, which is asked once of each packet in order, does
// not want.
func (box *outbox) keep(wanted func(i int) bool) {
	kept := 0
	for i := range box.count {
		if wanted(i) {
			box.move(kept, i)
			kept++
		}
	}
	box.count = kept
}

// move puts packet i, with its bytes, into place to.
func (box *outbox) move(to, i int) {
	if to == i {
		return
	}
	p := box.packets[i]
	p.Bytes = box.buffers[to][:copy(box.buffers[to][:], p.Bytes)]
	box.packets[to] = p
	box.probes[to] = box.probes[i]
}
