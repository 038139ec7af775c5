package prober

import (
	"net/netip"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// slot is the state of one probe, sent or not. There is one for each flow and
// TTL of a trace, so it is small: answers live elsewhere.
type slot struct {
	sent   sending
	answer int32 // index into trace.answers plus one; 0: none
	state  slotState
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
	kind     traceroute.Kind
	code     uint8
	ttl      uint8 // of the reply
	qttl     uint8 // quoted
	qtos     uint8
	arrival  bool
	ends     bool // the path ends here
	inferred bool // the reply named the flow, but not the TTL
	flow     uint8
}

// trace is the state machine of one traceroute with one kind of probe. It
// does no I/O and reads no clock: time comes in as arguments. The engine
// serialises all calls.
type trace struct {
	spec    traceroute.Spec
	typ     packet.Type
	target  netip.Addr
	source  netip.Addr // of the first flow
	port    uint16
	nonce   uint64
	flows   []flow
	slots   []slot // by flow, then TTL
	answers []answer
	order   []uint16 // echo probes: slot index by order of sending

	started   mono.Instant
	frontier  frontier
	ceiling   int                                      // highest TTL wanted: spec.MaxTTL, or less when a twin trace has arrived
	sentTop   int                                      // highest TTL probed so far
	firstSent [traceroute.MaxTTLLimit + 1]mono.Instant // of the TTLs with sentAt above 0
	sentAt    [traceroute.MaxTTLLimit + 1]uint8        // probes sent, by TTL
	unsent    [traceroute.MaxTTLLimit + 1]uint16       // flows yet to be sent, by TTL, a bit each
	turn      uint32                                   // shuffles the order of TTLs
	counts    traceroute.Counts
	err       error
	refusals  int
	rest      mono.Instant        // when the sender may be troubled again
	twin      *trace              // the other half of a GREICMP trace
	retry     *retry              // of the TTLs that stay silent to TCP; nil before
	slowest   time.Duration       // RTT of the slowest answer
	prefix    *pacing.PrefixCount // of the target; nil without a limit

	changes *changes // for the feed; nil when nothing is reported

	// The engine's bookkeeping.
	done     chan struct{}
	lane     int // that all its probes take, so that they leave in order
	finished bool
	queued   queueState
	heapAt   int
	wake     mono.Instant
	unheard  mono.Instant // since when a listen step has not been followed; 0: there is none
	listed   bool         // in Engine.unheard
	until    mono.Instant // of that step
	touched  bool

	// How the trace gets on with a way out that is full.
	busy      bool // the latest probe found no room
	busySince mono.Instant
	backoff   time.Duration
}

// usualHops is how long a path is that needs no second helping of memory.
const usualHops = 8

func newTrace(spec traceroute.Spec, typ packet.Type, source netip.Addr, nonce uint64) *trace {
	t := &trace{
		spec: spec, typ: typ, target: spec.Target, source: source, nonce: nonce,
		port:    uint16(spec.Port),
		flows:   make([]flow, spec.PacketsPerTTL),
		slots:   make([]slot, spec.PacketsPerTTL*spec.MaxTTL),
		answers: make([]answer, 0, usualHops*spec.PacketsPerTTL),
		ceiling: spec.MaxTTL,
		turn:    uint32(nonce),
		done:    make(chan struct{}),
	}
	for i := range t.flows {
		t.flows[i].egress.Source = source
	}
	for ttl := range t.unsent {
		t.unsent[ttl] = 1<<len(t.flows) - 1
	}
	if typ == packet.TCP {
		order := make([]uint8, len(t.slots))
		for i := range t.flows {
			first, next := i*spec.MaxTTL, (i+1)*spec.MaxTTL
			t.flows[i].order = order[first:first:next]
		}
	}
	if spaceOf(typ) == echoSpace && typ != packet.GRE {
		t.order = make([]uint16, 0, len(t.slots))
	}
	return t
}

func (t *trace) index(flow, ttl int) int { return flow*t.spec.MaxTTL + ttl - 1 }

func (t *trace) slot(flow, ttl int) *slot { return &t.slots[t.index(flow, ttl)] }

// reserve registers the probe of flow and TTL as sent at now and returns the
// mark to build it with. It comes before the sending, so that no answer can
// be faster.
func (t *trace) reserve(flow, ttl int, now mono.Instant, epoch uint16, id *identity) packet.Mark {
	if flow >= len(t.flows) {
		return t.reserveRetry(flow, ttl, now, epoch)
	}
	f := &t.flows[flow]
	i := t.index(flow, ttl)
	t.slots[i].sent = sending{user: now, epoch: epoch}
	t.slots[i].state = sent
	if t.sentAt[ttl] == 0 {
		t.firstSent[ttl] = now
	}
	t.sentAt[ttl]++
	t.unsent[ttl] &^= 1 << flow
	t.changes.at(ttl)
	t.sentTop = max(t.sentTop, ttl)
	t.turn = t.turn*1664525 + 1013904223 // the generator of Numerical Recipes, 7.1
	tag := id.auth.tag(t.nonce, spaceOf(t.typ), f.handle, uint8(ttl))
	m := packet.Mark{TTL: uint8(ttl), IPID: f.ipid(uint8(ttl)), Tag: tag}
	switch t.typ {
	case packet.ICMP, packet.GREEcho:
		m.Sequence = uint32(uint16(int(t.port) + len(t.order)))
		t.order = append(t.order, uint16(i))
	case packet.UDP:
		m.Sequence = uint32(f.udpChecksum(uint8(ttl)))
	case packet.TCP:
		offset := t.nextSYN(flow, uint8(ttl)) * synStep
		m.Sequence, m.Tag = f.firstSequence+offset, uint64(f.firstTimestamp+offset)
	case packet.GRE:
		m.Sequence = uint32(ttl)
	}
	return m
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

// byOrdinal finds an echo probe by its sequence number.
func (t *trace) byOrdinal(sequence uint16) (flow, ttl int, ok bool) {
	n := int(sequence - t.port)
	if n >= len(t.order) {
		return 0, 0, false
	}
	i := int(t.order[n])
	return i / t.spec.MaxTTL, i%t.spec.MaxTTL + 1, true
}

// onReply takes an answer to the probe of flow and TTL into account.
func (t *trace) onReply(flow, ttl int, a answer) fate {
	s := t.slot(flow, ttl)
	switch {
	case s.state != sent && t.leavesFrom(a.from):
		return foreign // our own kernel's word for a probe that it refused
	case s.state != sent:
		t.counts.Forged++
		return forged
	case s.answer != 0 && !t.answers[s.answer-1].inferred:
		t.counts.Duplicates++
		return duplicate
	case t.waited(s, a.receipt) > t.spec.Wait:
		t.counts.Late++
		return late
	}
	t.reportResponder(ttl, a.from)
	displaced := s.answer
	t.answers = append(t.answers, a)
	s.answer = int32(len(t.answers))
	t.settle(flow, ttl, &a)
	if displaced != 0 || t.flows[flow].inferred > 0 {
		t.placeInferred(flow)
	}
	t.changes.at(ttl)
	if !t.leavesFrom(a.from) { // or it may come of a refusal
		t.refusals = 0
	}
	return matched
}

// waited is how long an answer to a probe was waited for: until it arrived,
// however much later this process came to read it.
func (t *trace) waited(s *slot, r receipt) time.Duration {
	rtt, _ := roundTrip(s.sent, r, r.epoch)
	return rtt
}

// reportResponder reports an address to the feed, unless the TTL has shown it
// before.
func (t *trace) reportResponder(ttl int, from netip.Addr) {
	if t.changes == nil {
		return
	}
	for flow := range t.flows {
		for _, s := range [...]*slot{t.slot(flow, ttl), t.again(flow, ttl)} {
			if s != nil && s.answer != 0 && t.answers[s.answer-1].from == from {
				return
			}
		}
	}
	t.changes.responder(traceroute.Responder{Addr: from, TTL: uint8(ttl)})
}

// settle draws the conclusions for the flow and the frontier.
func (t *trace) settle(flow, ttl int, a *answer) {
	f := &t.flows[flow]
	t.slowest = max(t.slowest, t.waited(t.slot(flow, ttl), a.receipt))
	switch {
	case !a.ends:
		f.heard = max(f.heard, uint8(ttl))
	case f.ended == 0 || ttl < int(f.ended) || ttl == int(f.ended) && a.arrival:
		f.ended, f.arrived = uint8(ttl), a.arrival
		t.changes.all()
	}
	if !a.arrival {
		s := t.slot(flow, ttl)
		t.frontier.advance(ttl, s.sent.user, t.waited(s, a.receipt), a.receipt.user.mono)
	}
	if a.arrival && t.twin != nil {
		t.twin.ceiling = min(t.twin.ceiling, int(f.ended))
	}
}

// end returns the lowest TTL whose answer ended a flow's path, 0 while none did.
func (t *trace) end() int {
	end := 0
	for i := range t.flows {
		if e := int(t.flows[i].ended); e != 0 && (end == 0 || e < end) {
			end = e
		}
	}
	return end
}

// beyondEnd is how many TTLs a flow is followed past the last router heard,
// when others have ended before it.
const beyondEnd = 2

// extent returns the highest TTL that is of interest in a flow, given end().
// Flows may differ in length, where branches of unequal length are balanced;
// but a flow that merely lost an answer must not look longer than the rest.
func (t *trace) extent(flow, end int) int {
	f := &t.flows[flow]
	extent := t.ceiling
	switch {
	case end == 0:
	case int(f.heard) < end:
		extent = end
	case f.ended != 0:
		extent = int(f.ended)
	default:
		extent = int(f.heard) + beyondEnd
	}
	return min(extent, t.ceiling)
}

// drained returns when nothing more can come: nothing is left to send and
// every probe of interest is answered, or will have had its wait.
func (t *trace) drained(end int) mono.Instant {
	var at mono.Instant
	for flow := range t.flows {
		for ttl := t.extent(flow, end); ttl >= 1; ttl-- {
			s := t.slot(flow, ttl)
			if again := t.again(flow, ttl); again != nil && again.state == sent && s.answer == 0 && t.retry.answered {
				s = again
			}
			if s.state == sent && s.answer == 0 {
				at = max(at, s.sent.user.Add(t.spec.Wait))
			}
		}
	}
	return at
}
