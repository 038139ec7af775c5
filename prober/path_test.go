package prober

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/prober/pacing"
	"probe-agent/traceroute"
)

// path is a linear network in which only time passes: it drives a trace's
// state machine without packets, so that what a plan costs can be asserted to
// the microsecond.
type path struct {
	typ    packet.Type   // default ICMP
	hops   int           // the target's distance
	rtt    time.Duration // of the target; of hop h it is h/hops of it
	silent map[int]bool  // TTLs that never answer
	delay  func(ttl int) time.Duration
	tick   time.Duration // granularity of the sender's timers
}

// packetCost is what it takes to build and send one packet.
const packetCost = 2 * time.Microsecond

// course is what came of a trace on a path.
type course struct {
	took   time.Duration // start to finish
	known  time.Duration // when every TTL up to the target had answered once
	sent   int
	past   int // probes beyond the target
	trace  *trace
	perTTL map[int][]time.Duration
}

type event struct {
	at        mono.Instant
	flow, ttl int
	sent      mono.Instant
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any          { old := *e; x := old[len(old)-1]; *e = old[:len(old)-1]; return x }

// sharedIdentity saves the making of 200,000 names for each of a thousand
// paths. Tests that play one path after the other may share it.
var sharedIdentity = sync.OnceValue(func() *identity {
	var ports []uint16
	for p := range 64 {
		ports = append(ports, uint16(33000+p))
	}
	return newIdentity(ports)
})

type unlimited struct{}

func (unlimited) ReadyAt(int, pacing.Egress) mono.Instant { return 0 }

func (unlimited) RetryAt(_ int, _ pacing.Egress, at mono.Instant, _ uint32) mono.Instant { return at }

func testTrace(spec traceroute.Spec, typ packet.Type) (*trace, *identity) {
	spec.Target = netip.MustParseAddr("198.51.100.1")
	spec, err := spec.Complete()
	if err != nil {
		panic(err)
	}
	id := sharedIdentity()
	t := newTrace(spec, typ, netip.MustParseAddr("198.51.100.2"), rand.Uint64())
	if id.reserve([]*trace{t}, 0) != nil {
		panic("too few identifiers")
	}
	return t, id
}

// run plays the trace to its end.
func (p path) run(spec traceroute.Spec) course {
	t, id := testTrace(spec, max(p.typ, packet.ICMP))
	if err := t.craft(); err != nil {
		panic(err)
	}
	c := course{trace: t, perTTL: map[int][]time.Duration{}}
	var coming events
	heard := map[int]bool{}
	now := mono.Instant(0)
	target := t.target
	for {
		s := t.next(now, now, unlimited{})
		switch s.action {
		case send:
			t.reserve(s.flow, s.ttl, now, 0, id)
			c.sent++
			c.perTTL[s.ttl] = append(c.perTTL[s.ttl], time.Duration(now))
			if s.ttl > p.hops {
				c.past++
			}
			if hop := min(s.ttl, p.hops); !p.silent[hop] {
				heap.Push(&coming, event{at: now.Add(p.hopRTT(hop)), flow: s.flow, ttl: s.ttl, sent: now})
			}
			now = now.Add(packetCost)
			continue
		case retryNow:
			t.startRetry(id, now)
			continue
		case finish:
			c.took = time.Duration(now)
			id.release(t, 0)
			return c
		}
		wake := s.wake
		if p.tick > 0 && wake != mono.Forever {
			wake = max(wake, now.Add(p.tick))
		}
		if len(coming) > 0 && coming[0].at <= wake {
			e := heap.Pop(&coming).(event)
			now = max(now, e.at)
			arrival := e.ttl >= p.hops
			from := target
			if !arrival {
				from = netip.AddrFrom4([4]byte{198, 51, 100, byte(100 + e.ttl)})
			}
			t.onReply(e.flow, e.ttl, answer{receipt: receipt{user: moment{mono: now}}, from: from, arrival: arrival, ends: arrival})
			if heard[min(e.ttl, p.hops)] = true; len(heard) == p.hops && c.known == 0 {
				c.known = time.Duration(now)
			}
			continue
		}
		now = wake
	}
}

func (p path) hopRTT(hop int) time.Duration {
	if p.delay != nil {
		return p.delay(hop)
	}
	return p.rtt * time.Duration(hop) / time.Duration(p.hops)
}

func silentTTLs(ttls ...int) map[int]bool {
	m := map[int]bool{}
	for _, t := range ttls {
		m[t] = true
	}
	return m
}
