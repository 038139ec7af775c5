package strategy

import (
	"fmt"
	"testing"
	"time"
)

// timers is the granularity of the runtime's timers when it is idle.
const timers = time.Millisecond

// slack is what a trace may take longer than traceroute(8).
const slack = 2 * time.Millisecond

// delays are ways in which a path's delay may be spread over its hops.
var delays = map[string]func(hop, hops int, rtt time.Duration) time.Duration{
	"even": func(hop, hops int, rtt time.Duration) time.Duration {
		return rtt * time.Duration(hop) / time.Duration(hops)
	},
	"near the start": func(hop, hops int, rtt time.Duration) time.Duration {
		return rtt*9/10 + rtt*time.Duration(hop)/time.Duration(hops)/10
	},
	"near the end": func(hop, hops int, rtt time.Duration) time.Duration {
		if hop == hops {
			return rtt
		}
		return rtt * time.Duration(hop) / time.Duration(hops) / 10
	},
}

// silences returns choices of up to four silent routers on a path: none; the
// first, the last and some in between.
func silences(hops int) []map[int]bool {
	all := []map[int]bool{nil}
	for count := 1; count <= min(4, hops-1); count++ {
		var first, last, between []int
		for i := range count {
			first = append(first, 1+i)
			last = append(last, hops-1-i)
			between = append(between, 1+i*(hops-1)/count)
		}
		all = append(all, silentTTLs(first...), silentTTLs(last...), silentTTLs(between...))
	}
	return all
}

// TestCompleteNoLaterThanTraceroute compares the complete answer, that is
// every probe of the path answered or waited for, and the packets sent past
// the target with those of traceroute(8).
func TestCompleteNoLaterThanTraceroute(t *testing.T) {
	for _, repeat := range []bool{false, true} {
		for name, delay := range delays {
			for hops := 1; hops <= 24; hops++ {
				if repeat && hops%5 != 2 {
					continue // that changes little
				}
				for _, ms := range []float64{.2, .5, 1, 2, 3, 5, 7, 10, 15, 30, 80, 150, 300} {
					rtt := time.Duration(ms * float64(time.Millisecond))
					for _, silent := range silences(hops) {
						p := path{
							repeat: repeat, hops: hops, rtt: rtt, tick: timers, silent: silent,
							delay: func(hop int) time.Duration { return delay(hop, hops, rtt) },
						}
						compare(t, p, fmt.Sprintf("repeat %t, %d hops, target at %v, delay %s, %d silent", repeat, hops, rtt, name, len(silent)))
					}
				}
			}
		}
	}
}

// compare plays a path for both. Where routers are silent, traceroute(8)
// waits for them with what it would otherwise send past the target, so the
// limit is that of a path where all answer.
func compare(t *testing.T, p path, name string) {
	t.Helper()
	ours := p.run(spec{maxTTL: 30})
	theirs := p.runTraceroute(3, 30, time.Second)
	if ours.took > theirs.took+slack {
		t.Errorf("%s: complete after %v, traceroute(8) after %v", name, ours.took, theirs.took)
	}
	most := theirs.past * 3 / 2
	if len(p.silent) > 0 {
		most = speculation
	}
	if ours.past > most {
		t.Errorf("%s: %d packets past the target, traceroute(8) %d", name, ours.past, theirs.past)
	}
}

// TestTargetNearby: before a path shows to be slow, the next TTL is probed,
// and one probe goes to the TTL after it.
func TestTargetNearby(t *testing.T) {
	for hops := 1; hops <= 8; hops++ {
		for _, rtt := range []time.Duration{50 * time.Microsecond, 100 * time.Microsecond, 200 * time.Microsecond} {
			ours := path{hops: hops, rtt: rtt, tick: timers}.run(spec{maxTTL: 30})
			if ours.past > 3 {
				t.Errorf("%d hops, target at %v: %d packets past the target", hops, rtt, ours.past)
			}
		}
	}
}

// TestTargetsTTLComesFirst: a target that answers a burst of six answers all
// probes of its own TTL, for at most three past it are sent before them.
func TestTargetsTTLComesFirst(t *testing.T) {
	for name, delay := range delays {
		for hops := 1; hops <= 24; hops++ {
			for _, ms := range []float64{.1, 1, 3, 10, 30, 100, 300} {
				rtt := time.Duration(ms * float64(time.Millisecond))
				p := path{hops: hops, rtt: rtt, tick: timers, delay: func(hop int) time.Duration { return delay(hop, hops, rtt) }}
				c := p.run(spec{maxTTL: 30})
				before := 0
				for ttl := hops + 1; ttl <= 30; ttl++ {
					for _, at := range c.perTTL[ttl] {
						if at < c.perTTL[hops][2] {
							before++
						}
					}
				}
				if before > 3 {
					t.Errorf("%d hops, target at %v, delay %s: %d packets past the target before the last to its TTL", hops, rtt, name, before)
				}
			}
		}
	}
}

func TestDurationOfATrace(t *testing.T) {
	const rtt = 80 * time.Millisecond
	even := func(hops int) path { return path{hops: hops, rtt: rtt} }
	silent := func(ttls ...int) path { return path{hops: 12, rtt: rtt, silent: silentTTLs(ttls...)} }
	tests := []struct {
		name   string
		path   path
		spec   spec
		within time.Duration
	}{
		{"all answer", even(12), spec{maxTTL: 30}, rtt * 16 / 10},
		{"all of a longer path answer", even(15), spec{maxTTL: 30}, rtt*165/100 + slack},
		{"all of a long path answer", even(24), spec{maxTTL: 30}, rtt * 22 / 10},
		{"four silent hops in a row", silent(5, 6, 7, 8), spec{maxTTL: 30}, time.Second + rtt},
		{"four silent hops apart", silent(2, 4, 7, 10), spec{maxTTL: 30}, time.Second + rtt},
		{"the first four silent", silent(1, 2, 3, 4), spec{maxTTL: 30}, time.Second + rtt},
		// Before the target answers nothing tells how far to go.
		{"all routers silent", silent(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), spec{maxTTL: 30}, time.Second + stallAfter + rtt + slack},
		{"silent target", silent(12), spec{maxTTL: 30}, time.Second + rtt + stallAfter},
		{"nothing answers", path{hops: 1, rtt: rtt, silent: silentTTLs(1)}, spec{maxTTL: 64, packets: 10}, time.Second + stallAfter + scoutUnheard + 20*timers},
		{"nothing answers, short wait", path{hops: 1, rtt: rtt, silent: silentTTLs(1)}, spec{wait: 50 * time.Millisecond}, 100*time.Millisecond + 20*timers},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.path.tick = timers
			if c := tt.path.run(tt.spec); c.took > tt.within {
				t.Errorf("took %v, want at most %v", c.took, tt.within)
			}
		})
	}
}

// TestSilentHopsShareOneWait tries every choice of four silent routers.
func TestSilentHopsShareOneWait(t *testing.T) {
	const rtt = 80 * time.Millisecond
	for a := 1; a <= 11; a++ {
		for b := a + 1; b <= 11; b++ {
			for c := b + 1; c <= 11; c++ {
				for d := c + 1; d <= 11; d++ {
					run := path{hops: 12, rtt: rtt, tick: timers, silent: silentTTLs(a, b, c, d)}.run(spec{maxTTL: 30})
					if run.took > time.Second+rtt {
						t.Errorf("TTLs %d, %d, %d and %d silent: took %v", a, b, c, d, run.took)
					}
				}
			}
		}
	}
}

// TestEveryTTLGetsItsPackets: whatever the plan saves, each TTL up to the end
// gets exactly the packets asked for.
func TestEveryTTLGetsItsPackets(t *testing.T) {
	for _, spec := range []spec{{maxTTL: 1, packets: 1}, {maxTTL: 64, packets: 10}, {maxTTL: 30, packets: 3}, {maxTTL: 9, packets: 7}} {
		for _, hops := range []int{1, 2, 9, 12, 40, 80} {
			t.Run(fmt.Sprintf("ttl%d-q%d-hops%d", spec.maxTTL, spec.packets, hops), func(t *testing.T) {
				c := path{hops: hops, rtt: 30 * time.Millisecond, tick: timers}.run(spec)
				for ttl := 1; ttl <= min(hops, spec.maxTTL); ttl++ {
					if got := len(c.perTTL[ttl]); got != spec.packets {
						t.Errorf("TTL %d got %d packets, want %d", ttl, got, spec.packets)
					}
				}
			})
		}
	}
}

// TestManyFlows: the number of flows has no cap of its own.
func TestManyFlows(t *testing.T) {
	const flows = 5000
	c := path{hops: 1, rtt: time.Millisecond}.run(spec{maxTTL: 1, packets: flows})
	if len(c.perTTL[1]) != flows || !c.end.Reached || c.took > time.Second {
		t.Errorf("%d probes in %v, %+v", len(c.perTTL[1]), c.took, c.end)
	}
}

// TestEnds: where a path ends, by what its flows were answered.
func TestEnds(t *testing.T) {
	type reply struct {
		flow, ttl     int
		ends, arrival bool
	}
	for name, c := range map[string]struct {
		replies []reply
		limit   int // of a companion; 0: none
		want    End
		wanted  [2]int // highest TTL of interest, by flow
	}{
		"nothing known":           {nil, 0, End{TTL: 9}, [2]int{9, 9}},
		"a router":                {[]reply{{0, 3, false, false}}, 0, End{TTL: 9}, [2]int{9, 9}},
		"the target":              {[]reply{{0, 4, true, true}}, 0, End{TTL: 4, Reached: true}, [2]int{4, 4}},
		"the target, twice":       {[]reply{{0, 6, true, true}, {0, 4, true, true}}, 0, End{TTL: 4, Reached: true}, [2]int{4, 4}},
		"an unreachable":          {[]reply{{0, 4, true, false}}, 0, End{TTL: 4, Blocked: true}, [2]int{4, 4}},
		"both at one TTL":         {[]reply{{0, 4, true, false}, {0, 4, true, true}}, 0, End{TTL: 4, Reached: true}, [2]int{4, 4}},
		"branches of two lengths": {[]reply{{0, 4, true, true}, {1, 4, false, false}, {1, 5, true, true}}, 0, End{TTL: 5, Reached: true}, [2]int{4, 5}},
		"one goes on":             {[]reply{{0, 4, true, true}, {1, 5, false, false}}, 0, End{TTL: 4, Reached: true}, [2]int{4, 7}},
		"the companion arrived":   {[]reply{{0, 7, true, false}}, 5, End{TTL: 5}, [2]int{5, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewParis(Config{MaxTTL: 9, Flows: 2, Wait: time.Second})
			p.Start(0)
			for ttl := 1; ttl <= 9; ttl++ {
				p.Sent(0, ttl, 1)
				p.Sent(1, ttl, 1)
			}
			for _, r := range c.replies {
				p.Answered(Answer{Flow: r.flow, TTL: r.ttl, RTT: time.Millisecond, At: 2, Ends: r.ends, Arrival: r.arrival})
			}
			if c.limit != 0 {
				p.Limit(c.limit)
			}
			if got := p.End(); got != c.want {
				t.Errorf("end %+v, want %+v", got, c.want)
			}
			for flow, highest := range c.wanted {
				if !p.Wants(flow, highest) || p.Wants(flow, highest+1) {
					t.Errorf("flow %d is not wanted to TTL %d", flow, highest)
				}
			}
			p.Reassess(0, Assessment{})
			p.Reassess(1, Assessment{})
			if got := p.End(); got.Reached || got.Blocked {
				t.Errorf("end %+v after all was taken back", got)
			}
		})
	}
}
