package strategy

import (
	"cmp"
	"container/heap"
	"time"

	"probe-agent/prober/mono"
)

// path is a linear network in which only time passes: it drives a
// strategy without packets, so that what a plan costs can be asserted to
// the microsecond.
type path struct {
	repeat bool          // what stays silent
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
	end    End
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

// spec is what is asked of a trace. The zero values stand for 15 TTLs, 3 probes
// of each, and a second.
type spec struct {
	maxTTL, packets int
	wait            time.Duration
}

// free never holds a probe up.
type free struct{}

func (free) ReadyAt(int, int) mono.Instant { return 0 }

func (free) RetryAt(_, _ int, ready mono.Instant) mono.Instant { return ready }

// run plays the trace to its end.
func (p path) run(c spec) course {
	t := NewParis(Config{MaxTTL: cmp.Or(c.maxTTL, 15), Flows: cmp.Or(c.packets, 3), Wait: cmp.Or(c.wait, time.Second), Repeat: p.repeat})
	t.Start(0)
	r := course{perTTL: map[int][]time.Duration{}}
	var coming events
	answered, heard := map[[2]int]bool{}, map[int]bool{}
	now := mono.Instant(0)
	for {
		s := t.Next(now, now, free{})
		switch s.Action {
		case Send:
			t.Sent(int(s.Flow), int(s.TTL), now)
			r.sent++
			r.perTTL[int(s.TTL)] = append(r.perTTL[int(s.TTL)], time.Duration(now))
			if int(s.TTL) > p.hops {
				r.past++
			}
			if hop := min(int(s.TTL), p.hops); !p.silent[hop] {
				heap.Push(&coming, event{at: now.Add(p.hopRTT(hop)), flow: int(s.Flow), ttl: int(s.TTL), sent: now})
			}
			now = now.Add(packetCost)
			continue
		case Allocate:
			t.Allocating()
			t.Allocated(int(s.Flows))
			continue
		case Finish:
			r.took, r.end = time.Duration(now), t.End()
			return r
		}
		wake := s.Wake
		if p.tick > 0 && wake != mono.Forever {
			wake = max(wake, now.Add(p.tick))
		}
		if len(coming) > 0 && coming[0].at <= wake {
			e := heap.Pop(&coming).(event)
			now = max(now, e.at)
			if answered[[2]int{e.flow, e.ttl}] {
				panic("a probe was sent twice")
			}
			answered[[2]int{e.flow, e.ttl}] = true
			arrival := e.ttl >= p.hops
			t.Answered(Answer{Flow: e.flow, TTL: e.ttl, RTT: now.Since(e.sent), At: now, Ends: arrival, Arrival: arrival})
			if heard[min(e.ttl, p.hops)] = true; len(heard) == p.hops && r.known == 0 {
				r.known = time.Duration(now)
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
