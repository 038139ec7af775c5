package service

import (
	"context"
	"net/netip"

	"probe-agent/internal/panics"
	"probe-agent/traceroute"
)

// Annotator finds what is known of addresses: names and AS numbers. It is safe
// for concurrent use.
type Annotator interface {
	// Annotate returns what it knows of addrs by the end of ctx, and nothing
	// for the rest. With ctx ended it returns what it knows already.
	Annotate(ctx context.Context, addrs []netip.Addr) traceroute.Notes
	// Prefetch prepares for a later Annotate of addr. It returns at once.
	Prefetch(addr netip.Addr)
}

// annotate looks up every address that the outcomes show, each once, which
// takes at most AnnotateTimeout. The error is a panic of the annotator.
func (s *Service) annotate(ctx context.Context, outcomes ...*traceroute.Outcome) (notes traceroute.Notes, err error) {
	addrs := addressesOf(outcomes)
	if s.annotator == nil || len(addrs) == 0 {
		return nil, nil
	}
	defer panics.Catch(&err)
	ctx, cancel := context.WithTimeout(ctx, AnnotateTimeout)
	defer cancel()
	return s.annotator.Annotate(ctx, addrs), nil
}

// known returns what is known of addrs at once. The error is a panic of the
// annotator.
func (s *Service) known(addrs []netip.Addr) (notes traceroute.Notes, err error) {
	if s.annotator == nil || len(addrs) == 0 {
		return nil, nil
	}
	defer panics.Catch(&err)
	now, cancel := context.WithCancel(context.Background())
	cancel()
	return s.annotator.Annotate(now, addrs), nil
}

// prefetch has responders looked up while their trace runs. The error is a panic
// of the annotator.
func (s *Service) prefetch(responders []traceroute.Responder) (err error) {
	if s.annotator == nil {
		return nil
	}
	defer panics.Catch(&err)
	for _, r := range responders {
		s.annotator.Prefetch(r.Addr)
	}
	return nil
}

// addressesOf returns the targets and responders of the results, each once.
func addressesOf(outcomes []*traceroute.Outcome) []netip.Addr {
	var addrs []netip.Addr
	seen := make(map[netip.Addr]bool)
	see := func(addr netip.Addr) {
		if addr.IsValid() && !seen[addr] {
			seen[addr] = true
			addrs = append(addrs, addr)
		}
	}
	for _, o := range outcomes {
		if o == nil || o.Result == nil {
			continue
		}
		see(o.Result.Spec.Target)
		for i := range o.Result.Probes {
			if a := o.Result.Probes[i].Answer; a != nil {
				see(a.From)
			}
		}
	}
	return addrs
}
