package prober

import (
	"encoding/binary"
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"net/netip"
	"time"

	"probe-agent/packet"
)

// errExhausted: no identity is free now. One will be when a running trace has
// ended and its quarantine has passed.
var errExhausted = errors.New("prober: no free probe identity")

// space is a set of flow names that cannot be mistaken for each other.
type space uint8

// The spaces. Echo names are 16-bit echo identifiers and the upper half of
// GRE keys; UDP and TCP names are a source port and a block of 64 numbers
// that the UDP checksum or TCP sequence number carries.
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

const (
	ttlBits       = 6 // a probe's TTL - 1 within its flow
	ttlMask       = 1<<ttlBits - 1
	blockBits     = 16 - ttlBits
	maxPorts      = 1 << (16 - blockBits)
	blocksPerPort = 1<<blockBits - 1 // the last block would reach the UDP checksum 0xffff, which the wire cannot tell from 0
)

// handle names a flow within its space.
type handle uint16

// token names a probe in a transmit stamp.
func token(s space, h handle, ttl uint8) uint32 {
	return uint32(s)<<(16+ttlBits) | uint32(h)<<ttlBits | uint32(ttl-1)
}

func splitToken(t uint32) (s space, h handle, ttl uint8) {
	return space(t >> (16 + ttlBits)), handle(t >> ttlBits), uint8(t&ttlMask) + 1
}

// flowRef is what a handle leads to.
type flowRef struct {
	trace   *trace // nil when the handle is free or in quarantine
	flow    uint8
	retired bool // in quarantine: what names it comes late
}

// quarantined is a handle that waits until no late answer can name it.
type quarantined struct {
	handle handle
	until  instant
	peer   udpPeer
}

// udpPeer is what a UDP or keyless answer is known by. A flow has its peer to
// itself, because an answer names no more than this.
type udpPeer struct {
	target      netip.Addr
	port, local uint16
}

// names hands out the handles of one space, so that two traces never share
// one, and a handle rests for a while before it is used again.
type names struct {
	refs    []flowRef
	free    [][]handle // by source port; a single list in the echo space
	resting []quarantined
	count   int // of all names
}

// identity is all that tells probes apart. Not safe for concurrent use.
type identity struct {
	seed    maphash.Seed
	ports   []uint16
	portAt  map[uint16]int
	spaces  [spaces]names
	peers   map[udpPeer]handle
	seqMask uint32 // makes TCP sequence numbers look as random as any
}

func newIdentity(ports []uint16) *identity {
	ports = ports[:min(len(ports), maxPorts)]
	id := &identity{
		seed:    maphash.MakeSeed(),
		ports:   ports,
		portAt:  make(map[uint16]int, len(ports)),
		peers:   make(map[udpPeer]handle),
		seqMask: rand.Uint32(),
	}
	for i, p := range ports {
		id.portAt[p] = i
	}
	id.spaces[echoSpace].init(1, 1<<16)
	id.spaces[udpSpace].init(len(ports), blocksPerPort)
	id.spaces[tcpSpace].init(len(ports), blocksPerPort)
	return id
}

func (n *names) init(lists, each int) {
	stride := 1 << blockBits
	if lists == 1 && each > stride {
		stride = each
	}
	n.refs = make([]flowRef, lists*stride)
	n.free = make([][]handle, lists)
	n.count = lists * each
	for l := range n.free {
		n.free[l] = make([]handle, each)
		for i, at := range rand.Perm(each) {
			n.free[l][i] = handle(l*stride + at)
		}
	}
}

// port returns the index of the source port that h stands for.
func (h handle) port() int { return int(h >> blockBits) }

// number is what names the TTL's probe among all of h's source port.
func (h handle) number(ttl uint8) uint16 { return uint16(h)<<ttlBits | uint16(ttl-1) }

// byNumber is the inverse of number, given the index of the source port.
func byNumber(port int, number uint16) (handle, uint8) {
	return handle(port<<blockBits | int(number>>ttlBits)), uint8(number&ttlMask) + 1
}

// acquire registers every flow of t, each of a space with ports on a port of
// its own. It takes all or none.
func (id *identity) acquire(t *trace, now instant) error {
	sp := spaceOf(t.typ)
	n := &id.spaces[sp]
	n.rest(id, now)
	taken := 0
	for offset, start := 0, rand.IntN(len(n.free)); taken < len(t.flows) && offset < len(n.free); offset++ {
		list := (start + offset) % len(n.free)
		for len(n.free[list]) > 0 && taken < len(t.flows) {
			h := n.free[list][0]
			peer := id.peer(t, h)
			if _, used := id.peers[peer]; used && sp == udpSpace {
				break
			}
			n.free[list] = n.free[list][1:]
			n.refs[h] = flowRef{trace: t, flow: uint8(taken)}
			if sp == udpSpace {
				id.peers[peer] = h
			}
			t.flows[taken].handle = h
			taken++
			if sp != echoSpace {
				break
			}
		}
	}
	if taken == len(t.flows) {
		return nil
	}
	for i := range taken {
		h := t.flows[i].handle
		n.drop(id, quarantined{handle: h, peer: id.peer(t, h)})
	}
	return errExhausted
}

func (id *identity) peer(t *trace, h handle) udpPeer {
	if t.typ != packet.UDP {
		return udpPeer{}
	}
	return udpPeer{target: t.target, port: t.port, local: id.ports[h.port()]}
}

// release puts the flows of t to rest until the given time.
func (id *identity) release(t *trace, until instant) {
	n := &id.spaces[spaceOf(t.typ)]
	for i := range t.flows {
		h := t.flows[i].handle
		n.refs[h] = flowRef{retired: true}
		n.resting = append(n.resting, quarantined{handle: h, until: until, peer: id.peer(t, h)})
	}
}

// rest frees the handles whose quarantine is over. They were put to rest in
// about the order in which they may go: a longer one at the head only delays
// those behind it.
func (n *names) rest(id *identity, now instant) {
	over := 0
	for over < len(n.resting) && n.resting[over].until <= now {
		n.drop(id, n.resting[over])
		over++
	}
	n.resting = n.resting[over:]
}

// held is how many names are not free at a time.
func (id *identity) held(now instant) int {
	held := 0
	for i := range id.spaces {
		n := &id.spaces[i]
		n.rest(id, now)
		held += n.count
		for _, list := range n.free {
			held -= len(list)
		}
	}
	return held
}

func (n *names) drop(id *identity, q quarantined) {
	n.refs[q.handle] = flowRef{}
	list := 0
	if len(n.free) > 1 {
		list = q.handle.port()
	}
	n.free[list] = append(n.free[list], q.handle)
	if q.peer != (udpPeer{}) {
		delete(id.peers, q.peer)
	}
}

// tag is the keyed value that proves that a probe is ours: without the
// engine's seed nobody can compute it, and it differs for every trace, flow
// and TTL. TTL 0 gives the flow's own tag.
func (id *identity) tag(nonce uint64, sp space, h handle, ttl uint8) uint64 {
	var b [12]byte
	binary.LittleEndian.PutUint64(b[:], nonce)
	b[8], b[9] = byte(sp), ttl
	binary.LittleEndian.PutUint16(b[10:], uint16(h))
	return max(1, maphash.Bytes(id.seed, b[:])) // 0 reads as padding where it is quoted
}

// quarantineFor is how long a name rests after its trace: until the last
// answer that the trace waited for could have come twice over.
func quarantineFor(wait time.Duration) time.Duration { return wait }

// sourcePort returns the port that the flow's probes leave from, 0 for types
// without ports.
func (id *identity) sourcePort(t packet.Type, h handle) uint16 {
	if spaceOf(t) == echoSpace {
		return 0
	}
	return id.ports[h.port()]
}

// tcpSequence is the sequence number of a SYN: the probe's number, then 16
// bits of its tag.
func (id *identity) tcpSequence(number uint16, tag uint64) uint32 {
	return (uint32(number)<<16 | uint32(uint16(tag))) ^ id.seqMask
}

// splitTCPSequence is the inverse of tcpSequence.
func (id *identity) splitTCPSequence(seq uint32) (number, tag uint16) {
	seq ^= id.seqMask
	return uint16(seq >> 16), uint16(seq)
}
