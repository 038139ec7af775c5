package service

import (
	"container/list"
	"sync"
	"time"

	"probe-agent/traceroute"
)

// EventKind is what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	Started EventKind = iota + 1 // the run has been admitted
	Hop                          // a hop of a trace that runs has changed
	Done                         // a trace has ended
	End                          // the run has ended; the last event
)

// Event is a part of a run's state and when it changed last.
type Event struct {
	// ID is the version of the run's state that this part is of. Later changes
	// have higher ones; there are gaps where state was replaced.
	ID   uint64
	Kind EventKind
	// Trace is an index into Run.Traces; of Hop and Done.
	Trace int
	// Hop is the hop as it is now. One with nothing sent has turned out to be
	// beyond the end of the path.
	Hop traceroute.Hop
	// Outcome replaces all hops of its trace. It must not be changed.
	Outcome *traceroute.Outcome
	// Notes are what is known of the nodes of Hop, by now, or of the nodes of
	// Outcome.
	Notes traceroute.Notes
	Took  time.Duration // of End: what the traces took together, admission included
}

// board is the state of a run: of each part the latest, ordered by when it
// changed. So it is no larger than the state, however slow its readers are.
type board struct {
	mu      sync.Mutex
	version uint64
	parts   list.List                 // of *part, by version
	hops    []map[uint8]*list.Element // by trace, then TTL; nil: none
	done    []bool                    // by trace
	changed chan struct{}             // closed by the next change; nil: nobody waits
	ended   bool
}

// part is an Event as the board keeps it.
type part struct {
	event Event
	first uint64 // version in which it appeared
}

func newBoard(traces int) *board {
	b := &board{hops: make([]map[uint8]*list.Element, traces), done: make([]bool, traces)}
	b.add(Event{Kind: Started})
	return b
}

// add appends a part. The caller holds mu, or is the only one to know b.
func (b *board) add(event Event) *list.Element {
	b.version++
	event.ID = b.version
	return b.parts.PushBack(&part{event: event, first: b.version})
}

// notify wakes those who wait for a change. The caller holds mu.
func (b *board) notify() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// setHops replaces hops of a trace that runs.
func (b *board) setHops(trace int, hops []traceroute.Hop) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.done[trace] {
		return
	}
	parts := b.hops[trace]
	if parts == nil {
		parts = make(map[uint8]*list.Element)
		b.hops[trace] = parts
	}
	for _, hop := range hops {
		if hop.TTL < 1 || hop.TTL > traceroute.MaxTTLLimit {
			continue
		}
		element := parts[hop.TTL]
		if element == nil {
			if hop.Sent > 0 {
				parts[hop.TTL] = b.add(Event{Kind: Hop, Trace: trace, Hop: hop})
			}
			continue
		}
		event := &element.Value.(*part).event
		if hop.Sent == 0 && event.Hop.Sent == 0 {
			continue
		}
		b.version++
		event.ID, event.Hop = b.version, hop
		b.parts.MoveToBack(element)
	}
	b.notify()
}

// setOutcome replaces the hops of a trace by what came of it.
func (b *board) setOutcome(trace int, outcome *traceroute.Outcome, notes traceroute.Notes) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, element := range b.hops[trace] {
		b.parts.Remove(element)
	}
	b.hops[trace], b.done[trace] = nil, true
	b.add(Event{Kind: Done, Trace: trace, Outcome: outcome, Notes: notes})
	b.notify()
}

// end ends the changes, with an End event unless the run has failed.
func (b *board) end(took time.Duration, failed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !failed {
		b.add(Event{Kind: End, Took: took})
	}
	b.ended = true
	b.notify()
}

// latest returns the version of the latest change.
func (b *board) latest() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.version
}

// since returns what has changed after that version, in order, up to which
// version that is, and whether that is all there will ever be; or, when nothing
// has changed, a channel that is closed by the next change.
func (b *board) since(version uint64) (events []Event, upTo uint64, ended bool, changed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	element := b.parts.Front()
	for last := b.parts.Back(); last != nil && last.Value.(*part).event.ID > version; last = last.Prev() {
		element = last
	}
	if b.version <= version {
		element = nil
	}
	for ; element != nil; element = element.Next() {
		p := element.Value.(*part)
		if p.event.Kind == Hop && p.event.Hop.Sent == 0 && p.first > version {
			continue // beyond the end of the path, and the reader has never seen it
		}
		events = append(events, p.event)
	}
	if len(events) == 0 && !b.ended {
		if b.changed == nil {
			b.changed = make(chan struct{})
		}
		changed = b.changed
	}
	return events, max(version, b.version), b.ended, changed
}
