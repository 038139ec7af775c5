package traceroute_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"probe-agent/traceroute"
)

// What the JSON form has is read back as the same value.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		result := drawResult(t)
		roundTrips(t, result)
		roundTrips(t, &traceroute.Outcome{Result: result, Took: drawDuration(t)})
		roundTrips(t, &traceroute.Outcome{Failure: &traceroute.Failure{
			Code: rapid.SampledFrom([]traceroute.FailureCode{1, 2, 3, 4}).Draw(t, "code"), Reason: rapid.String().Draw(t, "reason"),
		}, Took: drawDuration(t)})
		roundTrips(t, &traceroute.Batch{Targets: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "targets"), Spec: drawSpec(t, netip.Addr{}), Live: rapid.Bool().Draw(t, "live")})
		roundTrips(t, &traceroute.Event{Target: 3, Responders: []traceroute.Responder{{Addr: drawAddr(t), TTL: 2}}})
		hop := traceroute.Hop{TTL: 3, Sent: 4, Lost: 1, Pending: 1, Limited: true, Nodes: []traceroute.Node{{
			Addr: drawAddr(t), Labels: []string{"!X"}, RTT: traceroute.RTT{Count: 2, Min: 1, Mean: 2, Max: 3, StdDev: 1},
		}}}
		roundTrips(t, &traceroute.Event{Target: 1, Hops: []traceroute.Hop{hop}})
	})
}

func roundTrips[T any](t *rapid.T, v *T) {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	back := new(T)
	if err := json.Unmarshal(text, back); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if diff := cmp.Diff(v, back, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Fatalf("(-want +got):\n%s\n%s", diff, text)
	}
}

func drawAddr(t *rapid.T) netip.Addr {
	return rapid.SampledFrom([]netip.Addr{{}, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}).Draw(t, "addr")
}

func drawDuration(t *rapid.T) time.Duration {
	return time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "duration"))
}

func drawSpec(t *rapid.T, target netip.Addr) traceroute.Spec {
	return traceroute.Spec{
		Target: target, Method: rapid.SampledFrom(traceroute.Methods()).Draw(t, "method"),
		MaxTTL: rapid.IntRange(1, 64).Draw(t, "max TTL"), PacketsPerTTL: rapid.IntRange(1, 10).Draw(t, "packets"),
		Port: rapid.IntRange(1, 65535).Draw(t, "port"), Wait: time.Duration(rapid.IntRange(1, 5000).Draw(t, "wait")) * time.Millisecond,
		Family: rapid.SampledFrom([]traceroute.Family{traceroute.AnyFamily, traceroute.IPv4Only, traceroute.IPv6Only}).Draw(t, "family"),
	}
}

func drawResult(t *rapid.T) *traceroute.Result {
	count := rapid.IntRange(0, 5)
	r := &traceroute.Result{
		Spec: drawSpec(t, netip.MustParseAddr("192.0.2.9")), Source: drawAddr(t),
		Started: time.Unix(0, rapid.Int64Range(0, 1<<62).Draw(t, "started")).UTC(), Duration: drawDuration(t),
		Stop:   rapid.SampledFrom([]traceroute.Stop{traceroute.Running, traceroute.Reached, traceroute.Blocked, traceroute.Exhausted}).Draw(t, "stop"),
		Counts: traceroute.Counts{Beyond: count.Draw(t, "n"), Duplicates: count.Draw(t, "n"), Late: count.Draw(t, "n"), Forged: count.Draw(t, "n"), Retried: count.Draw(t, "n")},
	}
	if rapid.Bool().Draw(t, "limited") {
		r.Limited = []uint8{2, 64}
	}
	for range count.Draw(t, "probes") {
		p := traceroute.Probe{
			TTL: rapid.Uint8Range(1, 64).Draw(t, "TTL"), Flow: rapid.Uint16().Draw(t, "flow"),
			Encapsulated: rapid.Bool().Draw(t, "encapsulated"), Sent: drawDuration(t),
		}
		if rapid.Bool().Draw(t, "answered") {
			p.Answer = drawAnswer(t)
		}
		r.Probes = append(r.Probes, p)
	}
	return r
}

func drawAnswer(t *rapid.T) *traceroute.Answer {
	a := &traceroute.Answer{
		From: drawAddr(t), RTT: drawDuration(t), Clock: traceroute.Clock(rapid.Uint8Range(0, uint8(traceroute.Clocks)-1).Draw(t, "clock")),
		Kind:    traceroute.Kind(rapid.Uint8Range(uint8(traceroute.EchoReply), uint8(traceroute.Decapsulated)).Draw(t, "kind")),
		Arrival: rapid.Bool().Draw(t, "arrival"), TTL: rapid.Uint8().Draw(t, "reply TTL"), MTU: rapid.Uint32().Draw(t, "MTU"),
	}
	if a.Kind.IsError() {
		a.Code, a.QuotedTTL, a.QuotedTOS = rapid.Uint8().Draw(t, "code"), rapid.Uint8().Draw(t, "quoted TTL"), rapid.Uint8().Draw(t, "TOS")
	}
	if rapid.Bool().Draw(t, "extended") {
		a.Extensions = &traceroute.Extensions{
			MPLS: []traceroute.MPLS{{Label: rapid.Uint32Range(0, 1<<20-1).Draw(t, "label"), TrafficClass: 7, Bottom: true, TTL: 255}},
			Interfaces: []traceroute.Interface{
				{}, {Role: traceroute.RoleNextHop, Index: rapid.Uint32().Draw(t, "index"), HasIndex: true, Addr: drawAddr(t), Name: rapid.String().Draw(t, "name"), MTU: 1500},
			},
			Objects: []traceroute.Object{{Class: 200, CType: 255, Data: rapid.SliceOfN(rapid.Byte(), 1, 9).Draw(t, "data")}, {Class: 2}},
		}
	}
	return a
}

// A document that no Result has is refused with the field's name.
func TestRefusedDocuments(t *testing.T) {
	whole := `{"version":1,"options":{"packet_type":"icmp"},"target":"192.0.2.9","source":"","started_at":"2026-11-25T00:00:00Z","stop":"reached","probes":[` +
		`{"ttl":1,"flow":0,"answer":{"from":"192.0.2.1","clock":"kernel","kind":"echo-reply"}}]}`
	if err := json.Unmarshal([]byte(whole), new(traceroute.Result)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ old, fresh, want string }{
		{`"version":1`, `"version":2`, "version 2"},
		{`"icmp"`, `"sctp"`, "sctp"},
		{`"icmp"`, `"icmp","max_ttl":65`, "max TTL 65"},
		{`"icmp"`, `"icmp","wait_ms":5001`, "wait_ms 5001"},
		{`"target":"192.0.2.9",`, ``, "target"},
		{`"reached"`, `"arrived"`, "arrived"},
		{`"ttl":1`, `"ttl":65`, "ttl 65"},
		{`"2026-11-25T00:00:00Z"`, `"9999-12-31T23:59:59-01:00"`, "started_at"}, // RFC 3339 has no year 10000
		{`"2026-11-25T00:00:00Z"`, `"0000-01-01T00:00:00+01:00"`, "started_at"},
		{`"stop"`, `"duration_ns":-1,"stop"`, "duration_ns -1"},
		{`"stop"`, `"counts":{"late":-1},"stop"`, "late -1"},
		{`"ttl":1`, `"ttl":1,"sent_ns":-1`, "sent_ns -1"},
		{`"kind"`, `"rtt_ns":-1,"kind"`, "rtt_ns -1"},
		{`"flow":0`, `"flow":65536`, "flow 65536"},
		{`"kernel"`, `"sundial"`, "sundial"},
		{`"echo-reply"`, `""`, "kind"},
		{`"kind"`, `"mtu":-1,"kind"`, "mtu -1"},
		{`"kind"`, `"extensions":{"mpls":[{"label":1048576}]},"kind"`, "label 1048576"},
		{`"kind"`, `"extensions":{"interfaces":[{"role":"other"}]},"kind"`, "role"},
		{`"kind"`, `"extensions":{"objects":[{"data_hex":"0"}]},"kind"`, "data_hex"},
	} {
		err := json.Unmarshal([]byte(strings.Replace(whole, tt.old, tt.fresh, 1)), new(traceroute.Result))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.fresh, err, tt.want)
		}
	}
	for _, text := range []string{`{}`, `{"took_ns":-1,"failure":{"code":1}}`, `{"failure":{"code":5}}`, `{"failure":{"code":0}}`} {
		if err := json.Unmarshal([]byte(text), new(traceroute.Outcome)); err == nil {
			t.Errorf("%s is an outcome", text)
		}
	}
	for _, hop := range []string{`{"ttl":0}`, `{"ttl":65}`, `{"ttl":1,"sent":-1}`, `{"ttl":1,"lost":-1}`, `{"ttl":1,"pending":-1}`} {
		if err := json.Unmarshal([]byte(`{"hops":[`+hop+`]}`), new(traceroute.Event)); err == nil {
			t.Errorf("an event has the hop %s", hop)
		}
	}
	if err := json.Unmarshal([]byte(`{"version":1,"options":{"packets_per_ttl":11}}`), new(traceroute.Batch)); err == nil {
		t.Error("a batch has 11 packets per TTL")
	}
}
