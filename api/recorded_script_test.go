package api_test

import "time"

// recordedScript says what comes of tracing one target.
type recordedScript struct {
	target       string
	addr, source string
	took         time.Duration
	stop         uint8  // 1 reached, 2 unreachable, 3 max TTL
	counts       [5]int // beyond, duplicates, late, forged, retried
	limited      []uint8
	probes       string // see scriptedProbe

	code   int // of the failure
	reason string
	unsent string // an error that is no failure
	panics string
}

// recordedScripts has everything that a result can hold.
func recordedScripts() []recordedScript {
	return []recordedScript{
		{
			target: "203.0.113.80", addr: "203.0.113.80", source: "192.0.2.9", took: 155*time.Millisecond + 7, stop: 1, counts: [5]int{6, 0, 0, 0, 0},
			probes: `
				1 0 0s    192.0.2.1    411us  time-exceeded quoted=1 ttl=64
				1 1 30ms  192.0.2.1    398us  time-exceeded quoted=1 ttl=64
				1 2 60ms  192.0.2.1    402us  time-exceeded quoted=1 ttl=64
				2 0 1ms   198.51.100.1 9.5ms  time-exceeded quoted=1 ttl=254
				2 1 31ms  198.51.100.2 9.25ms time-exceeded quoted=1 ttl=254
				2 2 61ms  198.51.100.2 70ms   time-exceeded quoted=1 ttl=254
				3 0 2ms   203.0.113.80 14us   echo-reply arrival ttl=61
				3 1 32ms  203.0.113.80 15us   echo-reply arrival ttl=61
				3 2 62ms  203.0.113.80 34us   echo-reply arrival ttl=61`,
		},
		{
			target: "rich.example", addr: "203.0.113.81", source: "192.0.2.9", took: 450 * time.Millisecond, stop: 1, counts: [5]int{1, 2, 3, 4, 5}, limited: []uint8{3},
			probes: `
				1 0 0s    192.0.2.1    411.123us  time-exceeded quoted=1 tos=8 clock=1
				1 1 1ms   192.0.2.2    398.001us  time-exceeded quoted=1 clock=2
				2 0 2ms   198.51.100.1 9.123456ms time-exceeded quoted=1 labels
				2 1 3ms   198.51.100.2 210ms      time-exceeded quoted=2 labels
				3 0 4ms   198.51.100.3 12ms       time-exceeded quoted=1 objects
				3 1 5ms
				4 0 6ms
				4 1 7ms
				5 0 8ms   198.51.100.5 20ms       unreachable code=13 quoted=1
				5 1 9ms   203.0.113.82 21ms       unreachable code=3 quoted=1 arrival
				6 0 10ms  203.0.113.81 22ms       syn-ack arrival
				6 1 11ms  203.0.113.81 23ms       reset arrival`,
		},
		{
			target: "six.example", addr: "2001:db8:1::100", source: "2001:db8::9", took: 1350 * time.Millisecond, stop: 2,
			probes: `
				1 0 0s    2001:db8::1     1ms time-exceeded quoted=1 objects
				1 1 1ms   2001:db8::1     2ms packet-too-big mtu=1400 quoted=1
				2 0 2ms
				2 1 3ms
				3 0 4ms   2001:db8::3     3ms parameter-problem code=1 quoted=60
				3 1 5ms   2001:db8::3     4ms parameter-problem code=2 quoted=60
				3 2 6ms   2001:db8::3     5ms time-exceeded code=1 quoted=60
				4 0 7ms   2001:db8::4     6ms unreachable code=0 quoted=1
				4 1 8ms   2001:db8::4     7ms unreachable code=1 quoted=1
				4 2 9ms   2001:db8::5     8ms unreachable code=3 quoted=1
				4 3 10ms  2001:db8::6     9ms unreachable code=6 quoted=1
				4 4 11ms  2001:db8:1::100 8ms unreachable code=5 quoted=1`,
		},
		{
			target: "halves.example", addr: "203.0.113.83", source: "192.0.2.9", took: 1250 * time.Millisecond, stop: 1,
			probes: `
				1 0e 0s   192.0.2.1    1ms  time-exceeded quoted=1
				1 1e 1ms
				1 0  2ms  192.0.2.1    2ms  time-exceeded quoted=1 labels
				1 1  3ms  192.0.2.1    3ms  time-exceeded quoted=1 labels
				2 0e 4ms
				2 1e 5ms  198.51.100.1 4ms  unreachable code=10 quoted=1
				2 0  6ms  198.51.100.1 150ms time-exceeded quoted=1
				2 1  7ms
				3 0e 8ms  203.0.113.83 5ms  decapsulated arrival
				3 1e 9ms  203.0.113.83 6ms  gre-answer arrival
				3 0  10ms 203.0.113.83 7ms  echo-reply arrival
				3 1  11ms 203.0.113.83 8ms  echo-reply arrival`,
		},
		{
			target: "labels.example", addr: "203.0.113.84", source: "192.0.2.9", took: 240 * time.Millisecond, stop: 3,
			probes: `
				1 0 0s   198.51.100.10 1ms unreachable code=0 quoted=1
				2 0 1ms  198.51.100.10 1ms unreachable code=1 quoted=1
				3 0 2ms  198.51.100.10 1ms unreachable code=2 quoted=1
				4 0 3ms  198.51.100.10 1ms unreachable code=4 quoted=1 mtu=1400
				5 0 4ms  198.51.100.10 1ms unreachable code=5 quoted=1
				6 0 5ms  198.51.100.10 1ms unreachable code=13 quoted=1
				7 0 6ms  198.51.100.10 1ms unreachable code=14 quoted=1
				8 0 7ms  198.51.100.10 1ms unreachable code=15 quoted=1
				9 0 8ms  198.51.100.10 1ms unreachable code=42 quoted=1
				10 0 9ms  198.51.100.10 1ms time-exceeded code=1 quoted=1
				11 0 10ms 198.51.100.10 1ms parameter-problem code=0 quoted=1
				12 0 11ms 203.0.113.84  1ms udp-answer arrival
				13 0 12ms`,
		},
		{
			target: "silent.example", addr: "203.0.113.85", source: "192.0.2.9", took: 2300 * time.Millisecond, stop: 3,
			probes: `
				1 0 0s
				2 0 300ms
				3 0 1200ms`,
		},
		{target: "refused.example", code: 3, reason: "the policy of this colo refuses 10.0.0.1 (private)"},
		{target: "slow.example", code: 2, reason: "did not answer in time"},
		{target: "unsent.example", unsent: "prober: no route"},
		{target: "other.example", code: 4, reason: "no route to the target"},
		{target: "panic.example", panics: "a bug"},
		{
			target: "endless.example", addr: "203.0.113.86", source: "192.0.2.9", took: time.Hour, stop: 3,
			probes: `
				1 0 0s   192.0.2.1    1ms  time-exceeded quoted=1
				2 0 1ms`,
		},
	}
}
