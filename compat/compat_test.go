package compat

import (
	"net"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every test runs for every SDK against the same agents. All targets are addresses
// of this host, and a name that nobody can have (RFC 6761 section 6.4).
func TestSDKs(t *testing.T) {
	binary := buildAgent(t)
	agent := startAgent(t, binary)
	full := startAgent(t, binary, crowded()...)
	hasty := startAgent(t, binary, "--request-rate", "1/"+hastyWindow.String())
	for _, s := range sdks() {
		t.Run(s.name, func(t *testing.T) {
			open := s.open(t)
			call := open.showing(agent.token)
			p := newTap(t, agent.url)
			t.Run("base", func(t *testing.T) { testBases(t, call, agent.url) })
			t.Run("answer", func(t *testing.T) { testAnswers(t, s, call, p) })
			t.Run("option", func(t *testing.T) { testOptions(t, s, call, p) })
			t.Run("refusal", func(t *testing.T) { testRefusals(t, s, call, p) })
			t.Run("key", func(t *testing.T) { testKey(t, call, agent) })
			t.Run("too many", func(t *testing.T) { testTooMany(t, s, open.showing(hasty.token), hasty) })
			t.Run("crowded", func(t *testing.T) { testCrowded(t, s, open.showing(full.token), full) })
		})
	}
}

// testBases calls the agent itself, by both forms of its base URL.
func testBases(t *testing.T, call caller, agent string) {
	for _, base := range []string{agent + "/client/v4", agent} {
		got := call(t, base, ask{Account: account, Targets: []string{"127.0.0.1"}})
		if got.Refused != nil {
			t.Fatalf("%s: refused: %+v", base, *got.Refused)
		}
		if traces := decode(t, got.Result); len(traces) != 1 || len(traces[0].Colos) != 1 || len(traces[0].Colos[0].Hops) != 1 {
			t.Errorf("%s: want one target, colo and hop:\n%s", base, got.Result)
		}
	}
}

// testKey calls the agent with a key and its email address.
func testKey(t *testing.T, call caller, agent agent) {
	got := call(t, agent.url+"/client/v4", ask{Account: account, Targets: []string{"127.0.0.1"}, credential: agent.key})
	if got.Refused != nil {
		t.Fatalf("refused: %+v", *got.Refused)
	}
	if traces := decode(t, got.Result); len(traces) != 1 {
		t.Errorf("want one target:\n%s", got.Result)
	}
}

func testAnswers(t *testing.T, s sdk, call caller, p *tap) {
	open, err := net.Listen("tcp4", "127.0.0.21:0")
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	tests := []struct {
		name   string
		ask    ask
		errors []string // by target; default none
		sent   int      // per hop; default 3
		labels []string // of the first node
	}{
		{name: "IPv4", ask: ask{Targets: []string{"127.0.0.1"}}},
		{name: "IPv6", ask: ask{Targets: []string{"::1"}}},
		{name: "colo by its letters", ask: ask{Targets: []string{"127.0.0.1"}, Colos: []string{"tst"}}},
		{name: "colo by its name", ask: ask{Targets: []string{"127.0.0.1"}, Colos: []string{"TST01"}}},
		{name: "UDP, closed port", ask: ask{Targets: []string{"127.0.0.1", "::1"}, Options: options{PacketType: "udp"}}},
		{name: "TCP, closed port", ask: ask{Targets: []string{"127.0.0.22", "::1"}, Options: options{PacketType: "tcp"}}},
		{name: "TCP, open port", ask: ask{Targets: []string{"127.0.0.21"}, Options: options{PacketType: "tcp", Port: open.Addr().(*net.TCPAddr).Port}}},
		// Raw sockets of the agent keep this host from answering GRE.
		{name: "labels", ask: ask{Targets: []string{"127.0.0.23"}, Options: options{PacketType: "gre+icmp"}}, sent: 6, labels: []string{"ICMP"}},
		{
			name:   "a name that does not resolve",
			ask:    ask{Targets: []string{"127.0.0.24", "example.onion", "127.0.0.25"}},
			errors: []string{"", "Could not gather traceroute data: Code 1", ""},
		},
		{name: "many targets", ask: ask{Targets: []string{"127.0.0.9", "127.0.0.8", "127.0.0.7", "127.0.0.6", "127.0.0.5", "127.0.0.4", "127.0.0.3", "127.0.0.2", "127.0.0.1", "::1"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s.portless && tt.ask.Options.Port != 0 {
				t.Skip("the SDK has no option for the port")
			}
			if tt.errors == nil {
				tt.errors = make([]string, len(tt.ask.Targets))
			}
			if tt.sent == 0 {
				tt.sent = 3
			}
			tt.ask.Account = account
			traces := s.traces(t, call, p, tt.ask)
			if len(traces) != len(tt.ask.Targets) {
				t.Fatalf("%d targets, want %d", len(traces), len(tt.ask.Targets))
			}
			for i, target := range tt.ask.Targets {
				checkTrace(t, traces[i], target, tt.errors[i], tt.sent)
			}
			if tt.labels == nil || s.knowsNoLabels() {
				return
			}
			if diff := cmp.Diff(tt.labels, traces[0].Colos[0].Hops[0].Nodes[0].Labels); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
		})
	}
}

// checkTrace holds the trace of an address of this host against what it must
// be: one hop away, answered by itself.
func checkTrace(t *testing.T, got trace, target, failure string, sent int) {
	t.Helper()
	if got.Target != target || len(got.Colos) != 1 {
		t.Fatalf("target %q with %d colos, want %q with 1", got.Target, len(got.Colos), target)
	}
	colo := got.Colos[0]
	if colo.Colo.Name != coloName || colo.Colo.City != coloCity || colo.Error != failure || colo.Summary.Name != target {
		t.Errorf("%s: colo %+v, error %q, name %q", target, colo.Colo, colo.Error, colo.Summary.Name)
	}
	if failure != "" {
		if len(colo.Hops) != 0 || colo.Summary.PacketCount != 0 {
			t.Errorf("%s: failed, yet with %d hops and %d answers", target, len(colo.Hops), colo.Summary.PacketCount)
		}
		return
	}
	if len(colo.Hops) != 1 {
		t.Fatalf("%s: %d hops, want 1", target, len(colo.Hops))
	}
	hop := colo.Hops[0]
	if hop.TTL != 1 || hop.Sent != sent || len(hop.Nodes) != 1 {
		t.Fatalf("%s: hop is %+v, want TTL 1, %d sent, one node", target, hop, sent)
	}
	answers := hop.Nodes[0].summary
	if diff := cmp.Diff(colo.Summary, answers); diff != "" {
		t.Errorf("%s: the only node is not as the summary (-summary +node):\n%s", target, diff)
	}
	if answers.IP != target || answers.PacketCount != hop.Sent-hop.Lost || answers.PacketCount != 3 {
		t.Errorf("%s: node is %+v in hop %+v", target, answers, hop)
	}
	if answers.Min <= 0 || answers.Min > answers.Mean || answers.Mean > answers.Max {
		t.Errorf("%s: RTT min %v, mean %v, max %v", target, answers.Min, answers.Mean, answers.Max)
	}
}

// knowsNoLabels reports whether the SDK's nodes have no labels.
func (s sdk) knowsNoLabels() bool {
	return slices.Contains(s.lost, "result[].colos[].hops[].nodes[].labels")
}
