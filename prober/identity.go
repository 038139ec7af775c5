package prober

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// space is a set of flow identifiers that cannot be mistaken for each other.
type space uint8

// The spaces. In echoSpace a handle is what the packets carry: the echo
// identifier, and the upper half of the GRE key. A flow of the others is
// identified by its endpoint.
const (
	echoSpace space = iota
	udpSpace
	tcpSpace
	spaces
)

func spaceOf(t packet.Type) space {
	switch t {
	case packet.UDP:
		return udpSpace
	case packet.TCP:
		return tcpSpace
	}
	return echoSpace
}

// ttlBits is the size of a probe's TTL - 1 within a field that it shares.
const (
	ttlBits = 6
	ttlMask = 1<<ttlBits - 1
)

// handle identifies a flow within its space.
type handle uint16

// handles is how many there are of a space.
const handles = 1 << 16

// token identifies a probe in a transmit timestamp.
func token(s space, h handle, ttl uint8) uint32 {
	return uint32(s)<<(16+ttlBits) | uint32(h)<<ttlBits | uint32(ttl-1)
}

func splitToken(t uint32) (s space, h handle, ttl uint8) {
	return space(t >> (16 + ttlBits)), handle(t >> ttlBits), uint8(t&ttlMask) + 1
}

// endpoint is what an answer says of the UDP or TCP flow that it belongs to,
// and all that some answers say. So no two flows share one.
type endpoint struct {
	space                  space
	target                 netip.Addr
	targetPort, sourcePort uint16
}

// flowRef is what a handle refers to.
type flowRef struct {
	trace   *trace // nil when the handle is free or in quarantine
	flow    uint8
	retired bool // in quarantine: what names it comes late
}

// names are the handles of one space.
type names struct {
	refs [handles]flowRef
	free ring[handle]
}

// identity allocates what identifies probes, and finds the probe that an
// answer belongs to. Not safe for concurrent use.
type identity struct {
	auth       *authenticator
	ports      []uint16
	portAt     map[uint16]int // the inverse of ports
	spaces     [spaces]*names
	flows      map[endpoint]handle // UDP and TCP flows, quarantined ones included
	used       map[destination]*portSet
	quarantine quarantine
	queues     map[destination][]*reservation
	watched    map[netip.Addr]*watch
}

func newIdentity(ports []uint16) *identity {
	id := &identity{
		auth:    newAuthenticator(),
		ports:   ports[:min(len(ports), maxPorts)],
		portAt:  make(map[uint16]int, len(ports)),
		flows:   make(map[endpoint]handle),
		used:    make(map[destination]*portSet),
		queues:  make(map[destination][]*reservation),
		watched: make(map[netip.Addr]*watch),
	}
	for i, p := range id.ports {
		id.portAt[p] = i
	}
	for sp := range id.spaces {
		all := make([]handle, handles)
		for i := range all {
			all[i] = handle(i)
		}
		if space(sp) == echoSpace {
			// Echo identifiers are part of what an off-path attacker has to guess.
			rand.Shuffle(handles, func(i, j int) { all[i], all[j] = all[j], all[i] })
		}
		id.spaces[sp] = &names{free: ring[handle]{entries: all, count: handles}}
	}
	return id
}

// acquire allocates a handle for each flow of t, and in the spaces with ports a
// source port. It takes all or nothing, and returns what is short in the
// latter case: the ports of a destination, or the handles of a space.
func (id *identity) acquire(t *trace, now mono.Instant) (short destination, ok bool) {
	if short, ok := id.grant(t, t.flows, 0, now); !ok {
		return short, false
	}
	id.watch(t.target)
	return destination{}, true
}

// acquireRetry does the same for the flows of t's retry, unless other traces
// wait for what it takes.
func (id *identity) acquireRetry(t *trace, flows []flow, now mono.Instant) bool {
	if len(id.queues[destinationOf(t)])+len(id.queues[destination{space: spaceOf(t.typ)}]) > 0 {
		return false
	}
	_, ok := id.grant(t, flows, len(t.flows), now)
	return ok
}

// grant allocates for flows of t, the first of which has the given index.
func (id *identity) grant(t *trace, flows []flow, first int, now mono.Instant) (short destination, ok bool) {
	sp := spaceOf(t.typ)
	n := id.spaces[sp]
	if n.free.len() < len(flows) {
		return destination{space: sp}, false
	}
	d := destinationOf(t)
	if sp != echoSpace && !id.takePorts(d, flows) {
		return d, false
	}
	for i := range flows {
		f := &flows[i]
		f.handle = n.free.pop()
		f.tag = id.auth.tag(t.nonce, sp, f.handle, 0)
		n.refs[f.handle] = flowRef{trace: t, flow: uint8(first + i)}
		if sp == echoSpace {
			continue
		}
		e := endpoint{space: sp, target: t.target, targetPort: t.port, sourcePort: f.sourcePort}
		id.flows[e] = f.handle
		if sp == tcpSpace {
			f.startSequence(id.auth.endpoint(e), now)
		}
	}
	return destination{}, true
}

// release puts the flows of t into quarantine until the given time.
func (id *identity) release(t *trace, until mono.Instant) {
	r := restingOf(t)
	r.until = until
	for _, h := range r.handles[:r.count] {
		id.spaces[r.at.space].refs[h] = flowRef{retired: true}
	}
	heap.Push(&id.quarantine, &r)
	id.unwatch(t.target)
}

// revert undoes acquire.
func (id *identity) revert(t *trace) {
	r := restingOf(t)
	id.free(&r)
	id.unwatch(t.target)
}

// expire ends the quarantines that are over, and gives what they free to those
// that wait for it.
func (id *identity) expire(now mono.Instant) {
	for len(id.quarantine) > 0 && id.quarantine[0].until <= now {
		r := heap.Pop(&id.quarantine).(*resting)
		id.free(r)
		id.serve(r.at, now)
		id.serve(destination{space: r.at.space}, now)
	}
}

// free makes the handles and ports of r available.
func (id *identity) free(r *resting) {
	n := id.spaces[r.at.space]
	for i, h := range r.handles[:r.count] {
		n.refs[h] = flowRef{}
		n.free.push(h)
		if r.at.space != echoSpace {
			delete(id.flows, endpoint{space: r.at.space, target: r.at.target, targetPort: r.at.port, sourcePort: r.ports[i]})
		}
	}
	if r.at.space != echoSpace {
		id.givePorts(r.at, r.ports[:r.count])
	}
}

// held is how many handles are allocated or in quarantine.
func (id *identity) held(now mono.Instant) int {
	id.expire(now)
	held := 0
	for _, n := range id.spaces {
		held += handles - n.free.len()
	}
	return held
}

// quarantineFor is how long the handles of a trace with the given wait stay
// unused after it: until the last answer that it waited for could have come a
// second time.
func quarantineFor(wait time.Duration) time.Duration { return wait }

// resting are the flows of an ended trace, which late answers may still name.
type resting struct {
	until   mono.Instant
	at      destination
	count   int
	handles [2 * traceroute.PacketsPerTTLLimit]handle // those of a retry included
	ports   [2 * traceroute.PacketsPerTTLLimit]uint16
}

func restingOf(t *trace) resting {
	r := resting{at: destinationOf(t), count: len(t.flows)}
	if t.retry != nil {
		r.count += len(t.retry.flows)
	}
	for i := range r.count {
		f := t.flowAt(i)
		r.handles[i], r.ports[i] = f.handle, f.sourcePort
	}
	return r
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
