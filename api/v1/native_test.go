package v1

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"probe-agent/stats"
	"probe-agent/traceroute"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write testdata/trace.json anew")

// The golden file is part of the API: package api holds it against the
// contract.
func TestGolden(t *testing.T) {
	r, notes := everything(t)
	got, err := json.MarshalIndent(NewTrace(r, stats.Summarize(r), notes), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/trace.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What a rendering shows must not change when the result does.
func TestKeepsNothing(t *testing.T) {
	r, notes := everything(t)
	trace := NewTrace(r, stats.Summarize(r), notes)
	before, err := json.Marshal(trace)
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.Probes {
		if a := r.Probes[i].Answer; a != nil {
			a.From, a.Extensions = netip.IPv6Unspecified(), nil
		}
		r.Probes[i] = traceroute.Probe{}
	}
	r.Limited[0] = 9
	clear(notes)
	after, err := json.Marshal(trace)
	if diff := cmp.Diff(string(before), string(after)); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// A trace without anything is a trace: no null where a list belongs.
func TestEmptyTrace(t *testing.T) {
	r := &traceroute.Result{Spec: traceroute.Spec{Target: netip.MustParseAddr("192.0.2.1"), Method: traceroute.ICMP}, Stop: traceroute.Exhausted}
	got, err := json.Marshal(NewTrace(r, stats.Summarize(r), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"limited_ttls":[]`, `"hops":[]`, `"paths":[]`, `"probes":[]`, `"source":""`, `"mean_rtt_ns":null`, `"name":"192.0.2.1"`, `"asn":""`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}

// While a trace runs, what has not been waited for long enough is pending.
func TestPending(t *testing.T) {
	answered := &traceroute.Answer{From: netip.MustParseAddr("192.0.2.1"), RTT: time.Millisecond, Kind: traceroute.TimeExceeded}
	r := &traceroute.Result{
		Spec:     traceroute.Spec{Target: netip.MustParseAddr("192.0.2.9"), Method: traceroute.UDP, Wait: time.Second},
		Duration: 1500 * time.Millisecond,
		Probes: []traceroute.Probe{
			{TTL: 1, Sent: 0},
			{TTL: 1, Flow: 1, Sent: 500 * time.Millisecond},
			{TTL: 1, Flow: 2, Sent: 500*time.Millisecond + 1},
			{TTL: 1, Flow: 3, Sent: 1200 * time.Millisecond, Answer: answered},
			{TTL: 3, Sent: 1400 * time.Millisecond},
		},
	}
	type counts struct{ TTL, Sent, Lost, Pending, Nodes int }
	of := func(stop traceroute.Stop) (all []counts) {
		r.Stop = stop
		for _, h := range Hops(r, stats.Summarize(r), nil) {
			all = append(all, counts{h.TTL, h.Sent, h.Lost, h.Pending, len(h.Nodes)})
		}
		return all
	}
	if diff := cmp.Diff([]counts{{1, 4, 2, 1, 1}, {2, 0, 0, 0, 0}, {3, 1, 0, 1, 0}}, of(traceroute.Running)); diff != "" {
		t.Errorf("running (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]counts{{1, 4, 3, 0, 1}, {2, 0, 0, 0, 0}, {3, 1, 1, 0, 0}}, of(traceroute.Exhausted)); diff != "" {
		t.Errorf("at the end (-want +got):\n%s", diff)
	}
}
