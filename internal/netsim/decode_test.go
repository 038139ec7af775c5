package netsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/internal/netsim"
)

// The same scenario as data and as Go.
func TestParse(t *testing.T) {
	got, err := netsim.Parse("all.yaml", []byte(`
about: everything that a hop can be told
family: ipv4
seed: 42
host:
  source: 192.0.2.1
  mtu: 1400
  transmit_stamps: {loss: 0.5, skew: -1ms}
  clock_steps: {at: 1s, by: -1h}
  send_faults: {error: ENOBUFS, nth: [3, 4]}
hops:
  - address: [n1, 192.0.2.9]
    delay: 10ms
    loss: {chance: 0.25, nth: 2}
    rate_limit: {rate: 0.5, burst: 6}
    quote: {length: 28, length_field: wrong, tos: 0, ip_checksum: 0xbeef}
    objects: {class: 4, type: 1, data: c0ff}
    reject: {kind: unreachable, code: 13, when: all, protocols: [tcp, udp], from: n9}
  - ecmp:
      by: packet
      branches:
        - []
        - - {rewrite: {ttl: 64, restore: true}}
target:
  gre: tunnel
  tcp: {open: [80, 443], default: filtered}
  also: [198.51.100.0/24]
expect:
  methods: icmp
  stop: reached
  hops: {ttl: 1, lost: 0, nodes: [n1, {address: n2, count: 3, labels: ["!X"]}]}
`))
	if err != nil {
		t.Fatal(err)
	}
	var also netsim.Target
	also.Also = got.Target.Also
	zero := uint8(0)
	want := &netsim.Scenario{
		About:  "everything that a hop can be told",
		Family: netsim.IPv4,
		Seed:   42,
		Host: netsim.Host{
			Source: mustAddress(t, "192.0.2.1"), MTU: 1400,
			Transmit: netsim.Stamping{Loss: 0.5, Skew: -time.Millisecond},
			Steps:    []netsim.ClockStep{{At: time.Second, By: -time.Hour}},
			Faults:   []netsim.SendFault{{Occurrence: netsim.Occurrence{Nth: []int{3, 4}}, Error: errno(t, "ENOBUFS")}},
		},
		Hops: []netsim.Hop{
			{Node: netsim.Node{
				Addresses: []netsim.Address{netsim.N(1), mustAddress(t, "192.0.2.9")},
				Delay:     10 * time.Millisecond,
				Loss:      netsim.Loss{Occurrence: netsim.Occurrence{Nth: []int{2}}, Chance: 0.25},
				RateLimit: &netsim.RateLimit{Rate: 0.5, Burst: 6},
				Quote:     netsim.Quote{Length: 28, LengthField: netsim.WrongLength, TOS: &zero, Checksum: new(uint16(0xbeef))},
				Objects:   []netsim.Object{{Class: 4, Type: 1, Data: netsim.Hex{0xc0, 0xff}}},
				Reject: []netsim.Reject{{
					Kind: netsim.Unreachable, Code: 13, When: netsim.All,
					Protocols: []netsim.Protocol{netsim.TCP, netsim.UDP}, From: netsim.N(9),
				}},
			}},
			{ECMP: &netsim.ECMP{By: netsim.ByPacket, Branches: [][]netsim.Hop{
				{}, {{Rewrite: &netsim.Rewrite{TTL: new(uint8(64)), Restore: true}}},
			}}},
		},
		Target: netsim.Target{
			Endpoint: netsim.Endpoint{
				GRE: netsim.Tunnel{State: netsim.Tunnelled},
				TCP: netsim.TCPPorts{Open: []uint16{80, 443}, Default: netsim.Filtered},
			},
			Also: got.Target.Also,
		},
		Expect: []netsim.Expectation{{
			Methods: []string{"icmp"}, Stop: "reached",
			Hops: []netsim.ExpectedHop{{TTL: 1, Lost: new(0), Nodes: []netsim.ExpectedNode{
				{Address: netsim.N(1)}, {Address: netsim.N(2), Count: new(3), Labels: []string{"!X"}},
			}}},
		}},
	}
	sameAddress := cmp.Comparer(func(a, b netsim.Address) bool { return a == b })
	ignored := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Target.Also" }, cmp.Ignore())
	if diff := cmp.Diff(want, got, sameAddress, ignored); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(also.Also) != 1 || also.Also[0].String() != "198.51.100.0/24" {
		t.Errorf("also %v", also.Also)
	}
}

func mustAddress(t *testing.T, text string) (a netsim.Address) {
	t.Helper()
	if err := a.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return a
}

func errno(t *testing.T, name string) (e netsim.Errno) {
	t.Helper()
	if err := e.UnmarshalText([]byte(name)); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestParseErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown field", "hops:\n  - delay: 1ms\n    dealy: 1ms\n", "bad.yaml:3: hops[0].dealy: unknown field"},
		{"unknown field deep", "hops:\n  - ecmp:\n      branches:\n        - - {mtuu: 3}\n", "bad.yaml:4: hops[0].ecmp.branches[0][0].mtuu: unknown field"},
		{"twice", "seed: 1\nseed: 2\n", "bad.yaml:2: seed: set twice"},
		{"duration", "target:\n\n  delay: 10\n", `bad.yaml:3: target.delay: "10" is no duration like 80ms`},
		{"number", "seed: many\n", `bad.yaml:1: seed: "many" is no uint64`},
		{"number too large", "hops:\n- reply_ttl: 256\n", `bad.yaml:2: hops[0].reply_ttl: "256" is no uint8`},
		{"word", "target: {icmp: yes}\n", `bad.yaml:1: target.icmp: "yes" is not one of answers, silent`},
		{"address", "hops:\n- address: n0\n", `bad.yaml:2: hops[0].address[0]: "n0" is no node number: want n1 to n131070`},
		{"list for value", "about: [a, b]\n", "bad.yaml:1: about: want a single value"},
		{"value for fields", "target: 3\n", `bad.yaml:1: target: want fields, not "3"`},
		{"hex", "hops:\n- objects: {data: xyz}\n", `bad.yaml:2: hops[0].objects[0].data: "xyz" is not hex`},
		{"empty", "", "bad.yaml: empty scenario"},
		{"not yaml", "a: [", "bad.yaml: yaml:"},
		{"missing family", "hops:\n- {}\n- address: 192.0.2.1\n", `bad.yaml:3: hops[1].address[0]: "192.0.2.1" has no IPv6 address`},
		{"loop too far", "hops:\n- {}\n- loop: 3\n", "bad.yaml:3: hops[1]: loop 3 goes back over more than the 2 routers in a row up to here"},
		{"loop over a split", "hops:\n- {}\n- {ecmp: {branches: [[]]}}\n- loop: 2\n", "bad.yaml:4: hops[2]: loop 2 goes back over more than the 1 routers"},
		{"split with more", "hops:\n- delay: 1ms\n  ecmp: {branches: [[]]}\n", "bad.yaml:2: hops[0]: ecmp stands alone"},
		{"in a branch", "hops:\n- ecmp:\n    branches:\n    - - {}\n      - mtu: 3\n", "bad.yaml:5: hops[0].ecmp.branches[0][1]: mtu 3 is below 68"},
		{"chance", "hops:\n- loss:\n    chance: 2\n", "bad.yaml:2: hops[0]: loss: chance 2 is not 0 to 1"},
		{"occurrence", "hops:\n- reply_loss: {nth: 0}\n", "bad.yaml:2: hops[0]: reply_loss: nth 0: occurrences count from 1"},
		{"change order", "changes:\n- at: 2s\n- at: 1s\n", "bad.yaml:3: changes[1]: must be later than the one before"},
		{"too long", "hops:\n- count: 200\n- count: 200\n", "bad.yaml:2: hops: 400 hops: more than 255"},
		{"expectation", "expect:\n- methods: icmp\n  hops:\n  - {ttl: 2}\n  - {ttl: 2}\n", "bad.yaml:5: expect[0].hops[1]: TTLs must ascend from 1"},
		{"gap in an expectation", "expect:\n- methods: icmp\n  hops:\n  - {ttl: 1, count: 2}\n  - {ttl: 4}\n", "bad.yaml:5: expect[0].hops[1]: TTL 4 comes after 2: every one must be there"},
		{"after one that may be absent", "expect:\n- methods: icmp\n  hops:\n  - {ttl: 1, maybe: true}\n  - {ttl: 2}\n", "bad.yaml:5: expect[0].hops[1]: comes after one that may be absent"},
		{"error with hops", "expect:\n- {methods: icmp, error: EPERM, hops: [{ttl: 1}]}\n", "bad.yaml:2: expect[0]: an error leaves no stop and no hops"},
		{"forgery of nothing", "hops:\n- forge: {flaw: proof}\n", "bad.yaml:2: hops[0].forge[0]: no kind"},
		{"flaw of another kind", "target: {forge: {kind: reply, flaw: sum}}\n", "bad.yaml:1: target.forge[0]: flaw sum is of errors"},
		{"guesser without end", "guessers: {rate: 100000, for: 1h, from: n1}\n", "bad.yaml:1: guessers[0]: rate 100000 for 1h0m0s is not 1 to 1048576 packets"},
		{"guesser without name", "guessers: {rate: 1, for: 1s}\n", "bad.yaml:1: guessers[0]: no from"},
		{"options", "hops:\n- quote: {options: 12}\n", "bad.yaml:2: hops[0]: quote.options 12 is not a multiple of 8 up to 40"},
		{"two at once", "seed: x\nfoo: 1\n", "bad.yaml:2: foo: unknown field"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := netsim.Parse("bad.yaml", []byte(test.text))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v\nwant %s", err, test.want)
			}
		})
	}
}

func TestValidateNamesTheField(t *testing.T) {
	s := netsim.Chain(3, 10*ms)
	s.Hops[2].Delay = -1
	_, err := netsim.New(s)
	if err == nil || err.Error() != "netsim: hops[2]: delay -1ns is negative" {
		t.Errorf("error %v", err)
	}
}

// The files of the package are networks, and a router's part in what they
// expect is what the network does: who answers a probe of a fresh trace.
func TestScenarios(t *testing.T) {
	files, err := netsim.Files(netsim.Scenarios())
	if err != nil || len(files) < 120 {
		t.Fatalf("%d scenario files, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(file, func(t *testing.T) {
			scenario, err := netsim.Load(netsim.Scenarios(), file)
			if err != nil {
				t.Fatal(err)
			}
			if scenario.About == "" || len(scenario.Expect) == 0 {
				t.Error("says nothing about itself, or expects nothing")
			}
			beHonest(scenario)
			for i := range scenario.Expect {
				e := &scenario.Expect[i]
				// Probes here go to the usual target, and are shorter than the
				// agent's.
				if netsim.Condition(file) == "mtu" || scenario.Addresses()[0] != target.For(scenario.Family == netsim.IPv6) {
					continue
				}
				for _, ipv6 := range []bool{false, true} {
					family := map[bool]netsim.Family{false: netsim.IPv4, true: netsim.IPv6}[ipv6]
					if scenario.Family.Carries(ipv6) && (len(e.Families) == 0 || slices.Contains(e.Families, family)) {
						checkExpectation(t, scenario, e, ipv6)
					}
				}
			}
		})
	}
}

func checkExpectation(t *testing.T, scenario *netsim.Scenario, e *netsim.Expectation, ipv6 bool) {
	for _, method := range e.Methods {
		network := newNetwork(t, scenario)
		kind := method
		if method == "gre+icmp" {
			kind = "gre-echo"
		}
		for _, hop := range e.EachHop() {
			p := probe{kind: kind, ttl: uint8(hop.TTL), flow: 3, port: uint16(e.Port)}
			answers := send(t, network, ipv6, p, e.Start)
			if certain(scenario, hop, method) && !slices.ContainsFunc(answers, func(a answer) bool { return isExpected(a, hop) }) {
				t.Errorf("%s TTL %d IPv6 %v: answers %v, none of them from %v", method, hop.TTL, ipv6, answers, hop.Nodes)
			}
		}
	}
}

// certain reports whether a single probe must be answered at the hop. Where
// one half of a gre+icmp trace shows something else than the other, the file
// says so by labels; which half it was is not told apart here.
func certain(s *netsim.Scenario, hop netsim.ExpectedHop, method string) bool {
	if len(hop.Nodes) == 0 || hop.Maybe || hop.Lost == nil || *hop.Lost > 0 || len(s.Guessers) > 0 {
		return false
	}
	return method != "gre+icmp" || len(hop.Nodes[0].Labels) == 0
}

func isExpected(a answer, hop netsim.ExpectedHop) bool {
	for _, n := range hop.Nodes {
		if n.Address.For(a.ipv6) == a.from && a.After >= n.RTT {
			return true
		}
	}
	// A flow on a shorter branch has arrived before the longest.
	return hop.Any && nodeName(a.from) == "target"
}
