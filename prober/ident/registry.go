package ident

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"probe-agent/internal/ring"
	"probe-agent/packet"
	"probe-agent/prober/mono"
)

// ids is how many flow identifiers there are in a space.
const ids = 1 << 16

// endpoint is what an answer says of the flow that it belongs to, of a type
// with ports, and all that some answers say. So no two flows share one.
type endpoint struct {
	space                  packet.Space
	target                 netip.Addr
	targetPort, sourcePort uint16
}

// ref is what a flow identifier refers to.
type ref[O any] struct {
	lease   *Lease[O] // nil when the identifier is free or in quarantine
	flow    uint16
	retired bool // in quarantine: what identifies it comes late
}

// table has the identifiers of one space.
type table[O any] struct {
	refs [ids]ref[O]
	free ring.Ring[FlowID]
}

// Registry has all flow identifiers and source ports of an agent. O is the type
// of a Lease's owner.
type Registry[O any] struct {
	auth       *authenticator
	ports      []uint16
	portAt     map[uint16]int           // the inverse of ports
	spaces     [packet.Spaces]*table[O] // nil where no type uses the space
	endpoints  map[endpoint]FlowID      // of flows with ports, quarantined ones included
	used       map[destination]*portSet
	quarantine quarantine
	queues     map[destination][]*Reservation[O]
	watched    map[netip.Addr]*watch
}

// New returns a Registry with the given source ports, of which it uses 512 at
// most. It takes about a megabyte for each space of identifiers.
func New[O any](ports []uint16) *Registry[O] {
	r := &Registry[O]{
		auth:      newAuthenticator(),
		ports:     ports[:min(len(ports), maxPorts)],
		portAt:    make(map[uint16]int, len(ports)),
		endpoints: make(map[endpoint]FlowID),
		used:      make(map[destination]*portSet),
		queues:    make(map[destination][]*Reservation[O]),
		watched:   make(map[netip.Addr]*watch),
	}
	for i, p := range r.ports {
		r.portAt[p] = i
	}
	for _, t := range packet.Types() {
		if sp := t.Space(); r.spaces[sp] == nil {
			r.spaces[sp] = newTable[O](sp)
		}
	}
	return r
}

func newTable[O any](sp packet.Space) *table[O] {
	all := make([]FlowID, ids)
	for i := range all {
		all[i] = FlowID(i)
	}
	if sp == packet.IdentifierSpace {
		// These are part of what an off-path attacker has to guess.
		rand.Shuffle(ids, func(i, j int) { all[i], all[j] = all[j], all[i] })
	}
	return &table[O]{free: ring.Of(all)}
}

// Capacity returns how many flows a lease of a type may have, if nobody else has
// any.
func (r *Registry[O]) Capacity(typ packet.Type) int {
	if typ.HasPorts() {
		return len(r.ports)
	}
	return ids
}

// grant allocates the flows of a request, or none; then it returns what is
// short: the ports of a destination, or the identifiers of a space.
func (r *Registry[O]) grant(q *Request[O], now mono.Instant) (short destination, ok bool) {
	l, sp := q.Lease, q.Lease.Type.Space()
	t := r.spaces[sp]
	if t.free.Len() < q.Flows {
		return destination{space: sp}, false
	}
	d := l.destination()
	if l.Type.HasPorts() && !r.hasPorts(d, q.Flows) {
		return d, false
	}
	if len(l.flows) == 0 {
		r.watch(l.Target)
	}
	first := len(l.flows)
	l.grow(q.Flows)
	if l.Type.HasPorts() {
		r.takePorts(d, l.flows[first:])
	}
	for i := first; i < len(l.flows); i++ {
		f := &l.flows[i]
		f.ID, f.repeats = t.free.Pop(), q.Repeats
		f.tag = r.auth.tag(l.Nonce, sp, f.ID, 0)
		t.refs[f.ID] = ref[O]{lease: l, flow: uint16(i)}
		if !l.Type.HasPorts() {
			continue
		}
		e := endpoint{space: sp, target: l.Target, targetPort: l.Port, sourcePort: f.SourcePort}
		r.endpoints[e] = f.ID
		if l.Type.Numbering() == packet.BySYN {
			f.startSequence(r.auth.endpoint(e), now)
		}
	}
	return destination{}, true
}

// grow adds flows, with room for the order of their SYNs.
func (l *Lease[O]) grow(flows int) {
	first := len(l.flows)
	l.flows = append(l.flows, make([]Flow, flows)...)
	if l.Type.Numbering() != packet.BySYN {
		return
	}
	order := make([]uint8, flows*l.MaxTTL)
	for i := range flows {
		start, end := i*l.MaxTTL, (i+1)*l.MaxTTL
		l.flows[first+i].order = order[start:start:end]
	}
}

// Release ends a lease. Its identifiers stay unused until the given time, so
// that late answers match no other lease.
func (r *Registry[O]) Release(l *Lease[O], until mono.Instant) {
	if len(l.flows) == 0 {
		return
	}
	q := r.detach(l)
	q.until = until
	for i := range q.flows {
		r.spaces[q.at.space].refs[q.flows[i].ID] = ref[O]{retired: true}
	}
	heap.Push(&r.quarantine, q)
}

// revoke takes the flows of a lease from the given index on back, of which
// nothing was sent.
func (r *Registry[O]) revoke(l *Lease[O], first int) {
	if first == len(l.flows) {
		return
	}
	r.free(&resting{at: l.destination(), flows: l.flows[first:]})
	l.flows = l.flows[:first]
	if first == 0 {
		r.unwatch(l.Target)
	}
}

// detach takes all flows from a lease.
func (r *Registry[O]) detach(l *Lease[O]) *resting {
	q := &resting{at: l.destination(), flows: l.flows}
	for i := range q.flows {
		q.flows[i].order = nil
	}
	l.flows = nil
	r.unwatch(l.Target)
	return q
}

// Expire ends the quarantines that are over, and grants what they free to those
// that wait for it.
func (r *Registry[O]) Expire(now mono.Instant) {
	for len(r.quarantine) > 0 && r.quarantine[0].until <= now {
		q := heap.Pop(&r.quarantine).(*resting)
		r.free(q)
		r.serve(q.at, now)
		r.serve(destination{space: q.at.space}, now)
	}
}

// NextExpiry returns when the next quarantine ends, or mono.Forever.
func (r *Registry[O]) NextExpiry() mono.Instant {
	if len(r.quarantine) == 0 {
		return mono.Forever
	}
	return r.quarantine[0].until
}

// free makes the identifiers and ports of flows available.
func (r *Registry[O]) free(q *resting) {
	t := r.spaces[q.at.space]
	for i := range q.flows {
		f := &q.flows[i]
		t.refs[f.ID] = ref[O]{}
		t.free.Push(f.ID)
		if f.SourcePort != 0 {
			delete(r.endpoints, endpoint{space: q.at.space, target: q.at.target, targetPort: q.at.port, sourcePort: f.SourcePort})
			r.freePort(q.at, f.SourcePort)
		}
	}
}

// Held returns how many flow identifiers are leased or in quarantine.
func (r *Registry[O]) Held(now mono.Instant) int {
	r.Expire(now)
	held := 0
	for _, t := range r.spaces {
		if t != nil {
			held += ids - t.free.Len()
		}
	}
	return held
}

// Quarantine is how long the identifiers of a lease stay unused after it, given
// how long an answer is waited for: until the last answer that it waited for
// could have come a second time.
func Quarantine(wait time.Duration) time.Duration { return wait }

// resting are the flows of an ended lease, which late answers may still
// identify.
type resting struct {
	until mono.Instant
	at    destination
	flows []Flow
}

// quarantine is a heap of them, by until.
type quarantine []*resting

func (q quarantine) Len() int           { return len(q) }
func (q quarantine) Less(i, j int) bool { return q[i].until < q[j].until }
func (q quarantine) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }

// Push is called by package heap only.
func (q *quarantine) Push(r any) { *q = append(*q, r.(*resting)) }

// Pop is called by package heap only.
func (q *quarantine) Pop() any {
	last := len(*q) - 1
	r := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return r
}
