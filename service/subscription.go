package service

import (
	"context"
	"fmt"
	"io"
	"net/netip"
)

// Subscription reads the events of a run. It holds nothing that needs to be
// released. Not safe for concurrent use.
type Subscription struct {
	run   *Run
	after uint64
}

// Subscribe returns a Subscription to everything that has changed after the
// event of that ID; 0 is the whole state. Any number of readers may subscribe,
// at any time, also when the run has ended.
func (r *Run) Subscribe(after uint64) *Subscription {
	return &Subscription{run: r, after: after}
}

// Latest returns the ID of the latest change. No event so far has a higher one.
func (r *Run) Latest() uint64 { return r.board.latest() }

// Next waits until something has changed and returns it, at least one event, in
// the order of IDs. After the End event the error is io.EOF; of a run that has
// failed it is that of Run.Wait, in place of the End event. It wraps that of ctx
// when ctx ended first.
func (s *Subscription) Next(ctx context.Context) ([]Event, error) {
	for {
		events, upTo, ended, changed := s.run.board.since(s.after)
		if len(events) > 0 {
			if err := s.annotate(events); err != nil {
				return nil, err
			}
			s.after = upTo
			return events, nil
		}
		s.after = upTo
		if ended {
			<-s.run.done // follows at once
			if s.run.err != nil {
				return nil, s.run.err
			}
			return nil, io.EOF
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("service: waiting for events: %w", ctx.Err())
		}
	}
}

// annotate adds what is known at once of the nodes of hops: the look-ups began
// when a node answered first, and a reader of changes waits for none. The error
// is a panic of the annotator.
func (s *Subscription) annotate(events []Event) error {
	var addrs []netip.Addr
	for i := range events {
		for _, node := range events[i].Hop.Nodes {
			if node.Addr.IsValid() {
				addrs = append(addrs, node.Addr)
			}
		}
	}
	notes, err := s.run.service.known(addrs)
	if err != nil {
		return err
	}
	for i := range events {
		if events[i].Kind == Hop {
			events[i].Notes = notes
		}
	}
	return nil
}
