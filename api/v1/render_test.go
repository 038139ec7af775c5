package v1

import (
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/traceroute"
)

var update = flag.Bool("update", false, "write testdata/trace.json anew")

// The golden file is part of the API: package api holds it against the
// contract.
func TestGolden(t *testing.T) {
	r, notes := everything()
	got, err := json.MarshalIndent(NewTrace(r, notes), "", "  ")
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
	r, notes := everything()
	trace := NewTrace(r, notes)
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
	got, err := json.Marshal(NewTrace(r, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"limited_ttls":[]`, `"hops":[]`, `"paths":[]`, `"probes":[]`, `"source":""`, `"mean_rtt_ns":null`, `"name":"192.0.2.1"`, `"asn":""`} {
		if !strings.Contains(string(got), want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
}
