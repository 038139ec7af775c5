//go:build linux

package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"probe-agent/bench/capture"
	"probe-agent/bench/peer"
	"probe-agent/bench/report"
	"probe-agent/internal/netsim"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/traceroute"
)

// TestMain lets the test binary be the simulated network, as the program is.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == networkCommand {
		exit(runNetwork(os.Args[2]))
	}
	os.Exit(m.Run())
}

// The measurements work here, whatever their verdict. Those that are left out
// take long or ask for all of the machine.
func TestMeasure(t *testing.T) {
	if err := kernel.Available(); err != nil {
		t.Skip(err)
	}
	if words := missing([]program{programTraceroute, programMTR, programScamper, programTCPDump}); words != "" {
		t.Skip(words)
	}
	b, err := newBench(t.Context(), settings{rounds: 1, quick: true})
	if err != nil {
		t.Fatal(err)
	}
	b.before = b.agent
	table := b.measure(t.Context(), []string{"throughput", "accuracy", "path", "scaling", "start", "versions"})
	if err := b.close(); err != nil {
		t.Error(err)
	}
	if len(table) != 15 {
		t.Errorf("%d rows", len(table))
	}
	for _, row := range table {
		if row.Verdict != report.Met && row.Verdict != report.Missed || row.Ours == "" {
			t.Errorf("%s: %+v", row.What, row.Outcome)
		}
	}
}

func TestParse(t *testing.T) {
	got, err := parse([]string{"-only", "path,start", "-rounds", "3", "-quick", "-o", "x.md"})
	want := settings{only: []string{"path", "start"}, rounds: 3, quick: true, place: "x.md"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(settings{})); diff != "" || err != nil {
		t.Errorf("%v; settings (-want +got):\n%s", err, diff)
	}
	for _, c := range []struct {
		arguments []string
		want      string
	}{
		{[]string{"-rounds", "0"}, "0 rounds"},
		{[]string{"-rounds", "51"}, "51 rounds"},
		{[]string{"-only", "path,none"}, `no measurement "none"`},
		{[]string{"path"}, `unexpected argument "path"`},
	} {
		if _, err := parse(c.arguments); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.arguments, err, c.want)
		}
	}
}

// A measurement that cannot be made leaves all its rows in the table.
func TestMissingPeerSkipsRows(t *testing.T) {
	m := measurement{needs: []program{"no-such-program"}, goals: make([]report.Goal, 2)}
	for _, o := range new(bench).one(t.Context(), m) {
		if o.Verdict != report.Skipped || o.Note != "no-such-program is not installed: Debian package no-such-program" {
			t.Errorf("%+v", o)
		}
	}
}

func TestDeviationOf(t *testing.T) {
	target := netip.MustParseAddr("198.19.0.1")
	wire := make(map[capture.Probe]time.Duration)
	var readings []peer.Reading
	for i := range 100 {
		wire[capture.Probe{Target: target, TTL: 1, Ordinal: i}] = time.Millisecond
		off := time.Duration(i+1) * time.Microsecond
		if i%2 == 0 {
			off = -off
		}
		readings = append(readings, peer.Reading{Target: target, TTL: 1, Ordinal: i, RTT: time.Millisecond + off})
	}
	readings = append(readings, peer.Reading{Target: target, TTL: 2, RTT: peer.Unanswered})
	got, err := deviationOf("it", readings, wire)
	want := deviation{median: 50500 * time.Nanosecond, p99: 99 * time.Microsecond, probes: 100}
	if err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for i := range 2 {
		delete(wire, capture.Probe{Target: target, TTL: 1, Ordinal: i})
	}
	if _, err := deviationOf("it", readings, wire); err == nil || !strings.Contains(err.Error(), "98 of 100") {
		t.Errorf("answers that the capture lacks: %v", err)
	}
}

func TestJournal(t *testing.T) {
	target := netip.MustParseAddr("198.19.0.1")
	answer := func(rtt time.Duration) *traceroute.Answer { return &traceroute.Answer{RTT: rtt} }
	// Results hold probes by TTL and flow, whatever the order of sending.
	r := &traceroute.Result{Spec: traceroute.Spec{Target: target}, Probes: []traceroute.Probe{
		{TTL: 1, Flow: 0, Sent: 30, Answer: answer(3)},
		{TTL: 1, Flow: 1, Sent: 10, Answer: answer(1)},
		{TTL: 2, Flow: 0, Sent: 20},
	}}
	var j journal
	j.add(r)
	j.add(r)
	want := []peer.Reading{
		{Target: target, TTL: 1, Ordinal: 0, RTT: 1},
		{Target: target, TTL: 2, Ordinal: 0, RTT: peer.Unanswered},
		{Target: target, TTL: 1, Ordinal: 1, RTT: 3},
		{Target: target, TTL: 1, Ordinal: 2, RTT: 1},
		{Target: target, TTL: 2, Ordinal: 1, RTT: peer.Unanswered},
		{Target: target, TTL: 1, Ordinal: 3, RTT: 3},
	}
	if diff := cmp.Diff(want, j.readings, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("readings (-want +got):\n%s", diff)
	}
}

func TestCountIn(t *testing.T) {
	// As Linux 6.18 prints it.
	const content = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    4567      34    0    0    0     0          0         0     4567      34    0    0    0     0       0          0
    l1: 1234567    9007    0    0    0     0          0         0   765432    9010    0    0    0     0       0          0
`
	got, err := countIn(content, "l1")
	if want := (packets{sent: 9010, received: 9007}); err != nil || got != want {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if _, err := countIn(content, "l2"); err == nil {
		t.Error("an interface that is not there is no error")
	}
	if got := (packets{sent: 5, received: 4}).since(packets{sent: 2, received: 3}); got != (packets{sent: 3, received: 1}) {
		t.Errorf("since: %+v", got)
	}
}

func TestWhole(t *testing.T) {
	const answer = `{"success":true,"result":[{"target":"198.19.0.1","colos":[{"target_summary":{"packet_count":2},
		"hops":[{"packets_sent":2,"packets_lost":0},{"packets_sent":2,"packets_lost":0}]}]}]}`
	for _, c := range []struct{ name, from, to, want string }{
		{"whole", "", "", ""},
		{"lost", `lost":0}]`, `lost":1}]`, "hop 2: 1 of 2"},
		{"too few sent", `sent":2,`, `sent":1,`, "hop 1"},
		{"target silent", `count":2`, `count":1`, "1 answers of the target"},
		{"failed", `[{"target_s`, `[{"error":"Code 4","target_s`, "Code 4"},
		{"no colo", `"colos":[`, `"other":[`, "0 colos"},
	} {
		t.Run(c.name, func(t *testing.T) {
			traces, err := decode([][]byte{[]byte(strings.Replace(answer, c.from, c.to, 1))})
			if err != nil {
				t.Fatal(err)
			}
			err = traces[0].whole(2, 2)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
	for _, bad := range []string{`{"success":false}`, `{`} {
		if _, err := decode([][]byte{[]byte(bad)}); err == nil {
			t.Errorf("%s is no error", bad)
		}
	}
}

func TestPast(t *testing.T) {
	var c netsim.Counts
	c.ByTTL[pathHops], c.ByTTL[pathHops+1], c.ByTTL[255] = 3, 2, 1
	for kind, want := range map[pathKind]int{pathAnswering: 3, "answering-11": 6, "answering-20": 1} {
		if got := kind.past(c); got != want {
			t.Errorf("%s: %d packets past the target, want %d", kind, got, want)
		}
	}
}

func TestSupply(t *testing.T) {
	s := supply{make([]netip.Addr, 3)}
	if some, err := s.take(2); err != nil || len(some) != 2 {
		t.Errorf("%d, %v", len(some), err)
	}
	if _, err := s.take(2); err == nil {
		t.Error("more than there are is no error")
	}
}
