package prober

import (
	"net/netip"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/ident"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/prober/strategy"
	"probe-agent/traceroute"
)

// slot is the state of one probe, sent or not. There is one for each flow and
// TTL of a trace, so it is small: answers live elsewhere.
type slot struct {
	user   mono.Instant // when it left, see sending
	kernel int64
	answer int32 // index into trace.answers plus one; 0: none
	epoch  uint16
	state  slotState
}

func (s *slot) sending() sending {
	return sending{user: s.user, kernel: s.kernel, epoch: s.epoch}
}

type slotState uint8

const (
	unsent slotState = iota
	sent             // registered and handed to the transport
)

// answer is one reply as the trace keeps it.
type answer struct {
	receipt  receipt
	from     netip.Addr
	ext      *traceroute.Extensions
	mtu      uint32
	flow     uint16
	kind     traceroute.Kind
	code     uint8
	ttl      uint8 // of the reply
	qttl     uint8 // quoted
	qtos     uint8
	arrival  bool
	ends     bool // the path ends here
	inferred bool // the reply identified the flow, but not the TTL
}

// flow is one of the parallel paths that a trace follows. Its identity is in the
// trace's lease.
type flow struct {
	template *packet.Template
	egress   pacing.Egress

	inferred int   // answers that identified the flow, but no TTL
	highest  uint8 // highest TTL answered from on the way
	end      uint8 // lowest TTL whose answer ended the path; 0 while none did

	// A flow may repeat the probes of another; answers to it take the place of
	// lost ones. Both fields are indexes plus one; 0: none.
	repeats, repeatedBy int
}

// trace is the state of one traceroute with one kind of probe. It does no I/O
// and reads no clock: time comes in as arguments. Its strategy decides what is
// sent; what was answered is kept here. The engine serialises all calls.
type trace struct {
	spec     traceroute.Spec
	lease    ident.Lease[*trace]
	strategy strategy.Strategy
	source   netip.Addr // of the first flow
	flows    []flow
	slots    []slot // by flow, then TTL
	answers  []answer

	started   mono.Instant
	sentTop   int    // highest TTL probed so far
	random    uint32 // spreads what would happen at once, see RetryAt of package pacing
	counts    traceroute.Counts
	err       error
	refusals  int
	retryAt   mono.Instant        // backoff: earliest next send
	companion *trace              // the other half of a GREICMP trace
	prefix    *pacing.PrefixCount // of the target; nil without a limit

	changes *changes // for the feed; nil when nothing is reported

	// The engine's bookkeeping.
	news   chan struct{} // capacity 1, of the call of Trace: look at finished and wanted
	wanted strategy.Step // flows that the strategy asks for; an Action of Wait: none
	// waiting is for the flows of waitsFor; nil: for none. Both are of the goroutine
	// that called Trace.
	waiting  *ident.Reservation[*trace]
	waitsFor strategy.Step
	txQueue  int // that all its probes take, so that they leave in order
	finished bool
	queued   queueState
	heapAt   int
	wake     mono.Instant
	unheard  mono.Instant // since when a Listen step has not been followed; 0: there is none
	listed   bool         // in Engine.unheard
	until    mono.Instant // of that step
	touched  bool

	// Backpressure (ENOBUFS, EAGAIN) state.
	busy      bool // the latest probe found no room
	busySince mono.Instant
	backoff   time.Duration
}

// usualHops is how long a path is that needs no second allocation of answers.
const usualHops = 8

// strategyOf returns the strategy of a trace by a type of probe.
func strategyOf(spec *traceroute.Spec, typ packet.Type) strategy.Strategy {
	return strategy.NewParis(strategy.Config{
		MaxTTL: spec.MaxTTL, Flows: spec.PacketsPerTTL, Wait: spec.Wait,
		Repeat: typ.Numbering() == packet.BySYN,
	})
}

func newTrace(spec traceroute.Spec, typ packet.Type, s strategy.Strategy, nonce uint64, news chan struct{}) *trace {
	t := &trace{
		spec:     spec,
		lease:    ident.Lease[*trace]{Type: typ, Target: spec.Target, Port: uint16(spec.Port), MaxTTL: spec.MaxTTL, Nonce: nonce},
		strategy: s,
		flows:    make([]flow, s.Flows()),
		slots:    make([]slot, s.Flows()*spec.MaxTTL),
		answers:  make([]answer, 0, usualHops*s.Flows()),
		random:   uint32(nonce),
		news:     news,
	}
	t.lease.Owner = t
	return t
}

func (t *trace) slot(flow, ttl int) *slot { return &t.slots[flow*t.spec.MaxTTL+ttl-1] }

// register notes the probe of a flow and TTL as sent at now. It comes before the
// sending, so that no answer can be faster.
func (t *trace) register(flow, ttl int, now mono.Instant, epoch uint16) {
	*t.slot(flow, ttl) = slot{user: now, epoch: epoch, state: sent}
	t.strategy.Sent(flow, ttl, now)
	if t.flows[flow].repeats != 0 {
		t.counts.Retried++
		return
	}
	t.changes.at(ttl)
	t.sentTop = max(t.sentTop, ttl)
	t.random = t.random*1664525 + 1013904223 // the generator of Numerical Recipes, 7.1
}

// departs sets when a registered probe leaves, or has left.
func (t *trace) departs(flow, ttl int, at sending) {
	s := t.slot(flow, ttl)
	moved := s.user != at.user
	s.user, s.kernel, s.epoch = at.user, at.kernel, at.epoch
	if moved {
		t.strategy.Sent(flow, ttl, at.user)
	}
}

// withdraw takes back a probe that the host refused, and an answer that it
// may have had nevertheless: a firewall that rejects says so by ICMP too.
func (t *trace) withdraw(flow, ttl int) {
	s := t.slot(flow, ttl)
	answered := s.answer != 0
	*s = slot{}
	t.lease.Withdraw(flow, uint8(ttl))
	t.strategy.Withdrawn(flow, ttl)
	t.changes.at(ttl)
	if t.flows[flow].repeats != 0 {
		t.counts.Retried--
		return
	}
	if answered {
		t.placeInferred(flow)
	}
}

// leavesFrom reports whether addr is a source address of the trace.
func (t *trace) leavesFrom(addr netip.Addr) bool {
	for i := range t.flows {
		if t.flows[i].egress.Source == addr {
			return true
		}
	}
	return false
}

// repetition returns the state of the probe that repeats another, nil when there
// is none.
func (t *trace) repetition(flow, ttl int) *slot {
	if by := t.flows[flow].repeatedBy; by != 0 {
		return t.slot(by-1, ttl)
	}
	return nil
}

// onReply takes an answer to the probe of flow and TTL into account.
func (t *trace) onReply(flow, ttl int, a *answer) verdict {
	s := t.slot(flow, ttl)
	switch {
	case s.state != sent && t.leavesFrom(a.from):
		return unmatched // our own kernel's answer to a probe that it refused
	case s.state != sent:
		t.lease.Forgery()
		return forged
	case s.answer != 0 && !t.answers[s.answer-1].inferred:
		t.counts.Duplicates++
		return duplicate
	}
	rtt := t.waited(s, &a.receipt)
	if rtt > t.spec.Wait {
		t.counts.Late++
		return late
	}
	t.reportResponder(ttl, a.from)
	displaced := s.answer
	t.accept(s, a)
	t.conclude(flow, ttl, rtt, a)
	if displaced != 0 || t.flows[flow].inferred > 0 {
		t.placeInferred(flow)
	}
	t.changes.at(ttl)
	if !t.leavesFrom(a.from) { // or it may come of a refusal
		t.refusals = 0
	}
	return matched
}

// onRepeated takes an answer to a probe that repeats another into account.
func (t *trace) onRepeated(flow, ttl int, a *answer) verdict {
	own := t.flows[flow].repeats - 1
	if a.kind != traceroute.TimeExceeded || ttl == 0 {
		t.counts.Duplicates++
		return duplicate
	}
	s := t.slot(flow, ttl)
	switch {
	case s.state != sent:
		t.lease.Forgery()
		return forged
	case s.answer != 0 || t.slot(own, ttl).answer != 0:
		t.counts.Duplicates++
		return duplicate
	}
	rtt := t.waited(s, &a.receipt)
	if rtt > t.spec.Wait {
		t.counts.Late++
		return late
	}
	t.reportResponder(ttl, a.from)
	t.accept(s, a)
	t.changes.at(ttl)
	t.flows[own].highest = max(t.flows[own].highest, uint8(ttl))
	t.strategy.Answered(strategy.Answer{Flow: flow, TTL: ttl, RTT: rtt, At: a.receipt.user.mono})
	return matched
}

// accept keeps an answer to a probe.
func (t *trace) accept(s *slot, a *answer) {
	t.answers = append(t.answers, *a)
	s.answer = int32(len(t.answers))
}

// waited is how long an answer to a probe was waited for: until it arrived,
// however much later this process came to read it.
func (t *trace) waited(s *slot, r *receipt) time.Duration {
	rtt, _ := roundTrip(s.sending(), *r, r.epoch)
	return rtt
}

// reportResponder reports an address to the feed, unless the TTL has shown it
// before.
func (t *trace) reportResponder(ttl int, from netip.Addr) {
	if t.changes == nil {
		return
	}
	for flow := range t.flows {
		if s := t.slot(flow, ttl); s.answer != 0 && t.answers[s.answer-1].from == from {
			return
		}
	}
	t.changes.responder(t.lease.Target, traceroute.Responder{Addr: from, TTL: uint8(ttl)})
}

// conclude tells the strategy of an answer, and the other half of a GREICMP
// trace of an arrival.
func (t *trace) conclude(flow, ttl int, rtt time.Duration, a *answer) {
	if !a.ends {
		t.flows[flow].highest = max(t.flows[flow].highest, uint8(ttl))
	}
	end, changed := t.strategy.Answered(strategy.Answer{
		Flow: flow, TTL: ttl, RTT: rtt, At: a.receipt.user.mono,
		Ends: a.ends, Arrival: a.arrival,
	})
	t.flows[flow].end = uint8(end)
	if changed {
		t.changes.all()
	}
	if a.arrival && t.companion != nil {
		t.companion.strategy.Limit(end)
	}
}
