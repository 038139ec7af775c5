package netsim_test

import (
	"slices"
	"testing"
	"time"

	"probe-agent/internal/netsim"
)

// A forgery comes in front of the right answer and differs from an honest
// quote in what its flaw says.
func TestForgery(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		for _, kind := range []string{"icmp", "tcp", "udp", "gre"} {
			s := netsim.Chain(2, 30*ms)
			s.Hops[0].Forge = []netsim.Forgery{
				{Kind: netsim.ForgedTimeExceeded, From: netsim.N(66)},
				{Kind: netsim.ForgedTimeExceeded, From: netsim.N(66), Flaw: netsim.WrongDestination},
				{Kind: netsim.ForgedUnreachable, From: netsim.N(66), Code: 1, After: 2 * ms},
			}
			answers := send(t, newNetwork(t, s), ipv6, probe{kind: kind, ttl: 2})
			if len(answers) != 4 || answers[3].String() != "20ms n2 time-exceeded" {
				t.Fatalf("%s: answers %v", kind, answers)
			}
			for i, want := range []string{"10ms n66 time-exceeded", "10ms n66 time-exceeded", "12ms n66 unreachable 1"} {
				if got := answers[i].String(); got != want {
					t.Errorf("%s: forgery %d is %q, want %q", kind, i, got, want)
				}
			}
			honest := answers[3].quote
			from, length := 16, 4
			if ipv6 {
				from, length = 24, 16
			}
			if destination := func(q []byte) []byte { return q[from : from+length] }; slices.Equal(destination(answers[1].quote), destination(honest)) ||
				!slices.Equal(destination(answers[0].quote), destination(honest)) {
				t.Errorf("%s: quoted destinations % x, % x, honest % x", kind, destination(answers[0].quote), destination(answers[1].quote), destination(honest))
			}
		}
	})
}

// A forged reply is the target's in all but its flaw.
func TestForgedReply(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		for kind, what := range map[string]string{"icmp": "echo-reply", "tcp": "tcp SA", "udp": "udp 12"} {
			s := netsim.Chain(2, 30*ms)
			s.Hops[0].Forge = []netsim.Forgery{{Kind: netsim.ForgedReply, Occurrence: netsim.Occurrence{Nth: []int{1}}}}
			network := newNetwork(t, s)
			answers := send(t, network, ipv6, probe{kind: kind, ttl: 2})
			if len(answers) != 2 || answers[0].String() != "10ms target "+what {
				t.Errorf("%s: answers %v", kind, answers)
			}
			if answers := send(t, network, ipv6, probe{kind: kind, ttl: 2}); len(answers) != 1 {
				t.Errorf("%s: the second packet has answers %v", kind, answers)
			}
		}
	})
}

// A guesser sends at his rate, from the first probe on, once.
func TestGuesser(t *testing.T) {
	s := netsim.Chain(2, 30*ms)
	s.Guessers = []netsim.Guesser{{Rate: 1000, For: 50 * ms, From: netsim.N(66)}}
	network := newNetwork(t, s)
	answers := send(t, network, false, probe{kind: "icmp", ttl: 1})
	if len(answers) != 51 || answers[49].String() != "49ms n66 time-exceeded" {
		t.Fatalf("%d answers, the last but one %v", len(answers), answers[len(answers)-2])
	}
	if answers := send(t, network, false, probe{kind: "icmp", ttl: 1}, 10*ms); len(answers) != 1 {
		t.Errorf("the second packet has %d answers", len(answers))
	}
}

// Loss on the way home hits a node and all behind it, and none before it.
func TestReturnLoss(t *testing.T) {
	families(t, func(t *testing.T, ipv6 bool) {
		s := netsim.Chain(3, 40*ms)
		s.Hops[1].ReturnLoss = netsim.Loss{Occurrence: netsim.Occurrence{Nth: []int{1, 3}}}
		network := newNetwork(t, s)
		var got []int
		for _, ttl := range []uint8{1, 3, 4, 2, 9} {
			got = append(got, len(send(t, network, ipv6, probe{kind: "icmp", ttl: ttl})))
		}
		if want := []int{1, 0, 1, 0, 1}; !slices.Equal(got, want) {
			t.Errorf("answers %v, want %v", got, want)
		}
	})
}

func TestHasten(t *testing.T) {
	s, err := netsim.Parse("hasten.yaml", []byte(`
hops:
  - {delay: 40ms, rate_limit: {rate: 10, burst: 3}, late: {by: 1s}}
  - ecmp: {branches: [[{delay: 8ms}], []]}
changes: {at: 2s, hops: [{jitter: 4ms}]}
expect: {methods: icmp, start: 2s, wait: 1s, hops: {ttl: 1, nodes: {address: n1, rtt: 40ms}}}
`))
	if err != nil {
		t.Fatal(err)
	}
	s.Hasten(4)
	got := []time.Duration{
		s.Hops[0].Delay, s.Hops[0].Late[0].By, s.Hops[1].ECMP.Branches[0][0].Delay, s.Changes[0].At,
		s.Changes[0].Hops[0].Jitter, s.Expect[0].Start, s.Expect[0].Wait, s.Expect[0].Hops[0].Nodes[0].RTT,
	}
	want := []time.Duration{10 * ms, 250 * ms, 2 * ms, 500 * ms, ms, 500 * ms, 250 * ms, 10 * ms}
	if !slices.Equal(got, want) || s.Hops[0].RateLimit.Rate != 40 {
		t.Errorf("%v, rate %v; want %v, 40", got, s.Hops[0].RateLimit.Rate, want)
	}
}

func TestHalves(t *testing.T) {
	e := netsim.Expectation{Hops: []netsim.ExpectedHop{{
		TTL: 3, Count: 2, Sent: new(3), Nodes: []netsim.ExpectedNode{{Address: netsim.N(7), Labels: []string{"!X"}}},
	}}}
	hops := netsim.Halves(e.EachHop(), "A", "B")
	if len(hops) != 2 || hops[1].TTL != 4 || *hops[1].Sent != 6 || hops[1].Lost != nil || len(hops[1].Nodes) != 2 {
		t.Fatalf("%+v", hops)
	}
	for i, half := range []string{"A", "B"} {
		if n := hops[1].Nodes[i]; n.Address != netsim.N(8) || !slices.Equal(n.Labels, []string{half, "!X"}) {
			t.Errorf("node %+v", n)
		}
	}
	if again := netsim.Halves(hops, "A", "B"); len(again[0].Nodes) != 2 || *again[0].Sent != 6 {
		t.Errorf("labelled hops doubled: %+v", again)
	}
}
