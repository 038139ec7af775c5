package prober

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"probe-agent/traceroute"
)

// probesOf draws probes: a row for each TTL, a letter for each flow; A is
// answered, . is lost. Flows are sent 20 ms apart.
func probesOf(rows ...string) []traceroute.Probe {
	var probes []traceroute.Probe
	for i, row := range rows {
		for flow, c := range row {
			p := traceroute.Probe{TTL: uint8(i + 1), Flow: uint16(flow), Sent: time.Duration(flow) * 20 * time.Millisecond}
			if c == 'A' {
				p.Answer = &traceroute.Answer{}
			}
			probes = append(probes, p)
		}
	}
	return probes
}

func TestLimitedTTLs(t *testing.T) {
	tests := []struct {
		name string
		rows []string
		want []uint8
	}{
		{"no loss", []string{"AAA", "AAA", "AAA"}, nil},
		{"bucket of one", []string{"AAA", "A..", "AAA"}, []uint8{2}},
		{"bucket of six", []string{"AAAAAA....", "AAAAAAAAAA"}, []uint8{1}},
		{"bucket that refills", []string{"AA...A...A", "AAAAAAAAAA"}, []uint8{1}},
		{"one lost", []string{"AA.", "AAA"}, nil},
		{"silent", []string{"...", "AAA"}, nil},
		{"silent first: congestion that passed", []string{".AA..", "AAAAA"}, nil},
		{"loss without rhythm", []string{"A.AA.A.AAA", "AAAAAAAAAA"}, nil},
		{"the path itself is lossy", []string{"A..", "A..", "A.."}, nil},
		{"nothing beyond answers those flows", []string{"A..", "AA."}, nil},
		{"last hop", []string{"AAA", "A.."}, nil},
		{"two routers", []string{"A..", "A..", "AAA"}, []uint8{1, 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := limitedTTLs(probesOf(tt.rows...), nil); !slices.Equal(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}

// TestLimitedByOwnProbes: what the node of the last TTL did not answer because
// it had answered probes past the end of the path.
func TestLimitedByOwnProbes(t *testing.T) {
	node, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	early := func(from netip.Addr, ms ...time.Duration) (all []surplus) {
		for _, m := range ms {
			all = append(all, surplus{from: from, sent: m * time.Millisecond})
		}
		return all
	}
	tests := []struct {
		name    string
		row     string // flows are sent 20 ms apart
		kind    traceroute.Kind
		arrival bool
		beyond  []surplus
		want    bool
	}{
		{"burst went past the target", "A..", traceroute.Unreachable, true, early(node, 1, 2, 3), true},
		{"one lost after it", "AA.", traceroute.Unreachable, true, early(node, 39), true},
		{"answered after the loss", "A.A", traceroute.Unreachable, true, early(node, 50), false},
		{"by another node", "A..", traceroute.Unreachable, true, early(other, 1, 2), false},
		{"one lost before it", "..A", traceroute.Unreachable, true, early(node, 10), false},
		{"silent", "...", traceroute.Unreachable, true, early(node, 1), false},
		{"nothing lost", "AAA", traceroute.Unreachable, true, early(node, 1), false},
		{"nothing past the target", "A..", traceroute.Unreachable, true, nil, false},
		{"two unreachable errors at once", "AA.", traceroute.Unreachable, false, nil, true},
		{"one unreachable error", "A..", traceroute.Unreachable, false, nil, true},
		{"unreachable, loss between", "A.A", traceroute.Unreachable, false, nil, false},
		{"time exceeded", "AA.", traceroute.TimeExceeded, false, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			probes := probesOf(tt.row)
			for i := range probes {
				if a := probes[i].Answer; a != nil {
					a.From, a.Kind, a.Arrival = node, tt.kind, tt.arrival
				}
			}
			if got := limitedTTLs(probes, tt.beyond); len(got) == 1 != tt.want {
				t.Errorf("got %v, want limited: %v", got, tt.want)
			}
		})
	}
}

// TestLimitedHalves: of a GREICMP trace, loss of one half is explained by what
// was sent past the end of the same half only.
func TestLimitedHalves(t *testing.T) {
	node := netip.MustParseAddr("192.0.2.1")
	answer := &traceroute.Answer{From: node, Kind: traceroute.Unreachable, Arrival: true}
	probe := func(encapsulated bool, ms time.Duration, a *traceroute.Answer) traceroute.Probe {
		return traceroute.Probe{TTL: 1, Encapsulated: encapsulated, Sent: ms * time.Millisecond, Answer: a}
	}
	tests := []struct {
		name   string
		probes []traceroute.Probe
		beyond []surplus
		want   bool
	}{
		{"GRE silent, traceroute.ICMP answered", []traceroute.Probe{probe(true, 5, nil), probe(false, 6, answer)}, []surplus{{from: node, sent: 1}}, false},
		{"GRE lost by its own", []traceroute.Probe{probe(true, 5, answer), probe(true, 6, nil), probe(false, 6, answer)}, []surplus{{node, 1, true}}, true},
		{"GRE lost, surplus of ICMP", []traceroute.Probe{probe(true, 5, answer), probe(true, 6, nil), probe(false, 6, answer)}, []surplus{{node, 1, false}}, false},
		{"one half explained", []traceroute.Probe{probe(true, 5, answer), probe(true, 6, nil), probe(false, 6, answer), probe(false, 7, nil)}, []surplus{{node, 1, true}}, false},
	}
	for _, tt := range tests {
		if got := limitedTTLs(tt.probes, tt.beyond); len(got) == 1 != tt.want {
			t.Errorf("%s: got %v, want limited: %v", tt.name, got, tt.want)
		}
	}
}
