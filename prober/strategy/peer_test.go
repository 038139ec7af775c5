package strategy

import (
	"container/heap"
	"time"

	"probe-agent/prober/mono"
)

// simultaneous is how many probes traceroute(8) waits for at one time.
const simultaneous = 16

// theirProbe is one probe of traceroute(8).
type theirProbe struct {
	sent, at mono.Instant // at: when its answer comes; mono.Forever for none
	out      bool
	done     bool
}

// runTraceroute plays traceroute(8) 2.1 with q probes per TTL and -w wait on
// the same path, as do_it() of its traceroute.c schedules them: TTL by TTL, at
// most sixteen unanswered counted from the first TTL that is not yet printed.
// Only the probe whose turn it is to be printed can expire. A TTL that the
// target answers is the last.
func (p path) runTraceroute(q, maxTTL int, wait time.Duration) course {
	c := course{}
	probes := make([]theirProbe, q*maxTTL)
	var coming events
	heard := map[int]bool{}
	start, end := 0, len(probes)
	now := mono.Instant(0)
	for {
		flying, wake := 0, mono.Forever
		for n := start; n < end; n++ {
			pb := &probes[n]
			ttl := n/q + 1
			if n == start && pb.out && !pb.done {
				wake = pb.sent.Add(wait)
				pb.done = wake <= now
			}
			if pb.done {
				if n == start {
					start++
					wake = mono.Forever
				}
				if ttl >= p.hops && pb.at <= now {
					end = ttl * q
				}
				continue
			}
			if !pb.out {
				pb.out, pb.sent, pb.at = true, now, mono.Forever
				c.sent++
				if ttl > p.hops {
					c.past++
				}
				if hop := min(ttl, p.hops); !p.silent[hop] {
					pb.at = now.Add(p.hopRTT(hop))
					heap.Push(&coming, event{at: pb.at, flow: n, ttl: ttl})
				}
				now = now.Add(packetCost)
			}
			if wake == mono.Forever {
				wake = pb.sent.Add(wait)
			}
			if flying++; flying >= simultaneous {
				break
			}
		}
		if start >= end {
			c.took = time.Duration(now)
			return c
		}
		if len(coming) == 0 || coming[0].at > wake {
			now = max(now, wake)
			continue
		}
		e := heap.Pop(&coming).(event)
		now = max(now, e.at)
		probes[e.flow].done = true
		if heard[min(e.ttl, p.hops)] = true; len(heard) == p.hops && c.known == 0 {
			c.known = time.Duration(now)
		}
	}
}
