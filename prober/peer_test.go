package prober

import (
	"container/heap"
	"time"
)

// runTraceroute plays traceroute(8) on the same path, as its manual describes
// it and its source works: probes in order of TTL, q to each, at most
// sixteen unanswered at a time, until the target's TTL is complete.
func (p path) runTraceroute(q, maxTTL int, wait time.Duration) course {
	const window = 16
	c := course{}
	var coming events
	heard := map[int]bool{}
	answered := map[int]int{}
	end := maxTTL
	next, flying := 0, 0
	now := instant(0)
	for {
		for flying < window && next < end*q {
			ttl := next/q + 1
			next++
			flying++
			c.sent++
			if ttl > p.hops {
				c.past++
			}
			at := now.add(wait)
			if hop := min(ttl, p.hops); !p.silent[hop] {
				at = now.add(p.hopRTT(hop))
			}
			heap.Push(&coming, event{at: at, ttl: ttl, sent: now})
			now += 2000
		}
		complete := true
		for ttl := 1; ttl <= end; ttl++ {
			complete = complete && answered[ttl] == q
		}
		if complete {
			c.took = time.Duration(now)
			return c
		}
		e := heap.Pop(&coming).(event)
		now = max(now, e.at)
		flying--
		answered[e.ttl]++
		if hop := min(e.ttl, p.hops); !p.silent[hop] {
			heard[hop] = true
			if e.ttl >= p.hops {
				end = min(end, e.ttl)
			}
		}
		if len(heard) == p.hops && c.known == 0 {
			c.known = time.Duration(now)
		}
	}
}
