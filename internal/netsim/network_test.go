package netsim_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
)

type duration = time.Duration

const ms = time.Millisecond

// step is a probe sent at a time, and the answers that it must get: nearest
// "delay sender kind".
type step struct {
	at    time.Duration
	probe probe
	want  []string
	want6 []string // where IPv6 differs
}

func echoProbe(ttl uint8) probe { return probe{kind: "icmp", ttl: ttl, flow: 7} }

// Networks are Chain(3, 40ms): n1 to n3 at 10, 20 and 30 ms and the target at
// 40 ms, changed by one feature.
var behaviours = []struct {
	name   string
	change func(*netsim.Scenario)
	steps  []step
}{
	{
		name:   "chain",
		change: func(*netsim.Scenario) {},
		steps: []step{
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"40ms target echo-reply"}},
			{probe: echoProbe(64), want: []string{"40ms target echo-reply"}},
			{probe: probe{kind: "udp", ttl: 2}, want: []string{"20ms n2 time-exceeded"}},
			{probe: probe{kind: "tcp", ttl: 2}, want: []string{"20ms n2 time-exceeded"}},
			{probe: probe{kind: "gre", ttl: 2}, want: []string{"20ms n2 time-exceeded"}},
			{probe: probe{kind: "icmp", ttl: 9, target: netsim.N(4242).For(false)}, want6: []string{}},
		},
	},
	{
		name:   "silent router forwards",
		change: func(s *netsim.Scenario) { s.Hops[1].Silent = true },
		steps: []step{
			{probe: echoProbe(2)},
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
		},
	},
	{
		name:   "silent target",
		change: func(s *netsim.Scenario) { s.Target.Silent = true },
		steps:  []step{{probe: echoProbe(4)}, {probe: probe{kind: "udp", ttl: 4}}, {probe: probe{kind: "tcp", ttl: 4}}},
	},
	{
		name:   "the second answer is lost",
		change: func(s *netsim.Scenario) { s.Hops[0].ReplyLoss.Nth = []int{2} },
		steps: []step{
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"40ms target echo-reply"}}, // passing does not count
			{probe: echoProbe(1)},
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
		},
	},
	{
		name:   "every second packet on a link is lost, passing or not",
		change: func(s *netsim.Scenario) { s.Hops[1].Loss.Every = 2 },
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(4)},
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}}, // never gets to that link
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
			{probe: echoProbe(3)},
		},
	},
	{
		name:   "loss by a chance of 1",
		change: func(s *netsim.Scenario) { s.Target.Loss.Chance = 1 },
		steps:  []step{{probe: echoProbe(4)}, {probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}}},
	},
	{
		name:   "token bucket: burst, then one per 100 ms",
		change: func(s *netsim.Scenario) { s.Hops[0].RateLimit = &netsim.RateLimit{Rate: 10, Burst: 2} },
		steps: []step{
			{at: 0, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: 1 * ms, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: 2 * ms, probe: echoProbe(1)},
			{at: 3 * ms, probe: echoProbe(4), want: []string{"40ms target echo-reply"}}, // forwarding is free
			{at: 101 * ms, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: 102 * ms, probe: echoProbe(1)},
			{at: 900 * ms, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: 900 * ms, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: 900 * ms, probe: echoProbe(1)},
		},
	},
	{
		name: "addresses in turn",
		change: func(s *netsim.Scenario) {
			s.Hops[1].Addresses = []netsim.Address{netsim.N(21), netsim.N(22)}
		},
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n21 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"20ms n22 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"20ms n21 time-exceeded"}},
		},
	},
	{
		name:   "reject what passes, in both families' codes",
		change: reject(netsim.Reject{Kind: netsim.Unreachable, Code: 13, Code6: new(uint8(1))}),
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(3), want: []string{"20ms n2 unreachable 13"}, want6: []string{"20ms n2 unreachable 1"}},
			{probe: probe{kind: "udp", ttl: 9}, want: []string{"20ms n2 unreachable 13"}, want6: []string{"20ms n2 unreachable 1"}},
		},
	},
	{
		name:   "reject what ends here only",
		change: reject(netsim.Reject{Kind: netsim.Unreachable, Code: 1, When: netsim.Expired}),
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n2 unreachable 1"}},
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
		},
	},
	{
		name: "reject all, of one protocol, from another address",
		change: reject(netsim.Reject{
			Kind: netsim.Unreachable, Code: 0, When: netsim.All, Protocols: []netsim.Protocol{netsim.UDP}, From: netsim.N(99),
		}),
		steps: []step{
			{probe: probe{kind: "udp", ttl: 2}, want: []string{"20ms n99 unreachable 0"}},
			{probe: probe{kind: "udp", ttl: 3}, want: []string{"20ms n99 unreachable 0"}},
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"40ms target echo-reply"}},
		},
	},
	{
		name:   "blackhole",
		change: reject(netsim.Reject{Kind: netsim.Drop, When: netsim.All}),
		steps: []step{
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{probe: echoProbe(2)},
			{probe: echoProbe(3)},
			{probe: echoProbe(64)},
		},
	},
	{
		name:   "time exceeded in reassembly",
		change: reject(netsim.Reject{Kind: netsim.TimeExceeded, Code: 1}),
		steps:  []step{{probe: echoProbe(3), want: []string{"20ms n2 time-exceeded 1"}}},
	},
	{
		name:   "parameter problem",
		change: reject(netsim.Reject{Kind: netsim.ParameterProblem, Pointer: 9}),
		steps:  []step{{probe: echoProbe(3), want: []string{"20ms n2 parameter-problem"}}},
	},
	{
		name:   "too big whatever the size",
		change: reject(netsim.Reject{Kind: netsim.TooBig, MTU: 1280}),
		steps:  []step{{probe: echoProbe(3), want: []string{"20ms n2 too-big 1280"}}},
	},
	{
		name:   "a link of 100 bytes",
		change: func(s *netsim.Scenario) { s.Hops[1].MTU = 100 },
		steps: []step{
			{probe: probe{kind: "udp", ttl: 2, payload: 200}, want: []string{"20ms n2 time-exceeded"}}, // it did not want to pass
			{probe: probe{kind: "udp", ttl: 3, payload: 200}, want: []string{"20ms n2 too-big 100"}},
			{probe: probe{kind: "udp", ttl: 3, payload: 20}, want: []string{"30ms n3 time-exceeded"}},
			{
				probe: probe{kind: "udp", ttl: 3, payload: 200, noDF: true}, // IPv4 routers may split it
				want:  []string{"30ms n3 time-exceeded"}, want6: []string{"20ms n2 too-big 100"},
			},
		},
	},
	{
		name:   "TTL 0 is forwarded",
		change: func(s *netsim.Scenario) { s.Hops[1].TTLZero = true },
		steps: []step{
			{probe: echoProbe(2), want: []string{"30ms n3 time-exceeded"}},
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"40ms target echo-reply"}},
		},
	},
	{
		name:   "a loop of two: delays add up on the way out only",
		change: func(s *netsim.Scenario) { s.Hops[2].Loop = 2 },
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(3), want: []string{"30ms n3 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"30ms n2 time-exceeded"}},
			{probe: echoProbe(5), want: []string{"40ms n3 time-exceeded"}},
			{probe: echoProbe(6), want: []string{"40ms n2 time-exceeded"}},
		},
	},
	{
		name:   "a router that loops onto itself",
		change: func(s *netsim.Scenario) { s.Hops[1].Loop = 1 },
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(30), want: []string{"160ms n2 time-exceeded"}}, // 28 times 5 ms more on the way out
		},
	},
	{
		name: "duplicates, and an answer that comes late",
		change: func(s *netsim.Scenario) {
			s.Hops[0].Duplicate = &netsim.Duplicate{Copies: 2, Gap: ms}
			s.Hops[1].Late = []netsim.Late{{Occurrence: netsim.Occurrence{Nth: []int{2}}, By: 3 * time.Second}}
		},
		steps: []step{
			{probe: echoProbe(1), want: []string{"10ms n1 time-exceeded", "11ms n1 time-exceeded", "12ms n1 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"3.02s n2 time-exceeded"}},
			{probe: echoProbe(2), want: []string{"20ms n2 time-exceeded"}},
		},
	},
	{
		name: "routes change",
		change: func(s *netsim.Scenario) {
			s.Changes = []netsim.Change{
				{At: time.Second, Hops: []netsim.Hop{{Node: netsim.Node{Addresses: []netsim.Address{netsim.N(50)}, Delay: ms}}}},
				{At: 2 * time.Second},
			}
		},
		steps: []step{
			{at: time.Second - 1, probe: echoProbe(1), want: []string{"10ms n1 time-exceeded"}},
			{at: time.Second, probe: echoProbe(1), want: []string{"1ms n50 time-exceeded"}},
			{at: time.Second, probe: echoProbe(2), want: []string{"11ms target echo-reply"}},
			{at: 2 * time.Second, probe: echoProbe(1), want: []string{"10ms target echo-reply"}},
		},
	},
	{
		name: "a middlebox answers TCP for the target",
		change: func(s *netsim.Scenario) {
			s.Hops[1].Middlebox = &netsim.Middlebox{
				Protocols: []netsim.Protocol{netsim.TCP},
				Endpoint:  netsim.Endpoint{TCP: netsim.TCPPorts{Default: netsim.Open}},
			}
		},
		steps: []step{
			{probe: probe{kind: "tcp", ttl: 2, port: 81}, want: []string{"20ms n2 time-exceeded"}},
			{probe: probe{kind: "tcp", ttl: 3, port: 81}, want: []string{"20ms target tcp SA"}},
			{probe: probe{kind: "udp", ttl: 3}, want: []string{"30ms n3 time-exceeded"}},
		},
	},
	{
		name: "a middlebox that answers and lets pass, even where the TTL ends",
		change: func(s *netsim.Scenario) {
			s.Hops[1].Middlebox = &netsim.Middlebox{When: netsim.All, Pass: true}
		},
		steps: []step{
			{probe: echoProbe(2), want: []string{"20ms target echo-reply", "20ms n2 time-exceeded"}},
			{probe: echoProbe(4), want: []string{"20ms target echo-reply", "40ms target echo-reply"}},
		},
	},
	{
		name:   "the target answers from another address",
		change: func(s *netsim.Scenario) { s.Target.From = netsim.N(200) },
		steps: []step{
			{probe: echoProbe(4), want: []string{"40ms n200 echo-reply"}},
			{probe: probe{kind: "udp", ttl: 4}, want: []string{"40ms n200 port-unreachable"}},
			{probe: probe{kind: "tcp", ttl: 4}, want: []string{"40ms n200 tcp SA"}},
		},
	},
	{
		name:   "no routers at all",
		change: func(s *netsim.Scenario) { s.Hops = nil },
		steps:  []step{{probe: echoProbe(1), want: []string{"10ms target echo-reply"}}},
	},
}

func reject(r netsim.Reject) func(*netsim.Scenario) {
	return func(s *netsim.Scenario) { s.Hops[1].Reject = []netsim.Reject{r} }
}

func TestBehaviour(t *testing.T) {
	for _, test := range behaviours {
		t.Run(test.name, func(t *testing.T) {
			families(t, func(t *testing.T, ipv6 bool) {
				scenario := netsim.Chain(3, 40*ms)
				test.change(scenario)
				network := newNetwork(t, scenario)
				for i, step := range test.steps {
					if step.probe.target.IsValid() && step.probe.target.Is6() != ipv6 {
						continue
					}
					var got []string
					for _, a := range send(t, network, ipv6, step.probe, step.at) {
						got = append(got, a.String())
						if a.to != source.For(ipv6) {
							t.Errorf("step %d: answer goes to %v, want %v", i, a.to, source.For(ipv6))
						}
					}
					want := step.want
					if ipv6 && step.want6 != nil {
						want = step.want6
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("step %d, %s with TTL %d (-want +got):\n%s", i, step.probe.kind, step.probe.ttl, diff)
					}
				}
			})
		})
	}
}
