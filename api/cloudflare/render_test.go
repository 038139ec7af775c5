package cloudflare

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/service"
	"probe-agent/traceroute"
)

var oneOne = netip.MustParseAddr("1.1.1.1")

func answer(kind traceroute.Kind, from string, rtt time.Duration) *traceroute.Answer {
	return &traceroute.Answer{From: netip.MustParseAddr(from), RTT: rtt, Kind: kind, Arrival: kind == traceroute.EchoReply}
}

// result is a trace to 1.1.1.1.
func result(method traceroute.Method, probes ...traceroute.Probe) *traceroute.Result {
	return &traceroute.Result{
		Spec:     traceroute.Spec{Target: oneOne, Method: method, MaxTTL: 15, PacketsPerTTL: 3, Port: 1, Wait: time.Second},
		Duration: 155 * time.Millisecond, Stop: traceroute.Reached, Probes: probes,
	}
}

// golden is the example of Cloudflare's API reference in the field names of its
// live answers. Its standard deviation is sqrt(127)/1000 = 0.0112694276…, which the
// reference prints with 18 decimals.
const golden = `{"result":[{"target":"1.1.1.1","colos":[{
   "colo":{"name":"den01","city":"Denver, CO, US"},
   "traceroute_time_ms":155,
   "target_summary":{"asn":"AS13335","ip":"1.1.1.1","name":"1.1.1.1","packet_count":3,
        "mean_rtt_ms":0.021,"std_dev_rtt_ms":0.011269,"min_rtt_ms":0.014,"max_rtt_ms":0.034,
        "mean_latency_ms":0.021,"std_dev_latency_ms":0.011269,"min_latency_ms":0.014,"max_latency_ms":0.034},
   "hops":[{"packets_ttl":1,"packets_sent":3,"packets_lost":0,"nodes":[
        {"asn":"AS13335","ip":"1.1.1.1","name":"one.one.one.one","packet_count":3,
         "mean_rtt_ms":0.021,"std_dev_rtt_ms":0.011269,"min_rtt_ms":0.014,"max_rtt_ms":0.034}]}]},
  {"colo":{"name":"ams01","city":"Amsterdam"},
   "error":"Could not gather traceroute data: Code 4",
   "traceroute_time_ms":2,
   "target_summary":{"asn":"","ip":"","name":"1.1.1.1","packet_count":0,
        "mean_rtt_ms":0,"std_dev_rtt_ms":0,"min_rtt_ms":0,"max_rtt_ms":0,
        "mean_latency_ms":0,"std_dev_latency_ms":0,"min_latency_ms":0,"max_latency_ms":0},
   "hops":[]}]}],
 "success":true,"errors":[],"messages":[{"code":1004,"message":"ams01 → 1.1.1.1: no route"}]}`

func TestAnswer(t *testing.T) {
	const us = time.Microsecond
	reply := func(rtt time.Duration) *traceroute.Answer { return answer(traceroute.EchoReply, "1.1.1.1", rtt) }
	got, err := json.Marshal(Answer(
		[]service.Trace{
			{Target: "1.1.1.1", Colo: traceroute.Colo{Name: "den01", City: "Denver, CO, US"}},
			{Target: "1.1.1.1", Colo: traceroute.Colo{Name: "ams01", City: "Amsterdam"}},
		},
		[]traceroute.Outcome{
			{Took: 155 * time.Millisecond, Result: result(traceroute.ICMP, traceroute.Probe{TTL: 1, Answer: reply(14 * us)},
				traceroute.Probe{TTL: 1, Flow: 1, Answer: reply(15 * us)}, traceroute.Probe{TTL: 1, Flow: 2, Answer: reply(34 * us)})},
			{Took: 2 * time.Millisecond, Failure: &traceroute.Failure{Code: traceroute.Unsent, Reason: "no route"}},
		},
		traceroute.Notes{oneOne: {Name: "one.one.one.one", ASN: 13335}}))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(golden)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Targets that are one name are still one result each, with the same colos.
func TestAnswerByTarget(t *testing.T) {
	failed := traceroute.Outcome{Failure: &traceroute.Failure{Code: traceroute.TimedOut, Reason: "x"}}
	den, ams := traceroute.Colo{Name: "den01"}, traceroute.Colo{Name: "ams01"}
	got := Answer([]service.Trace{{Target: "a", Colo: den}, {Target: "a", Colo: ams}, {Target: "a", Colo: den}, {Target: "a", Colo: ams}},
		[]traceroute.Outcome{failed, failed, failed, failed}, nil)
	if len(got.Result) != 2 || len(got.Result[0].Colos) != 2 || got.Result[1].Colos[1].Colo != ams || len(got.Messages) != 4 {
		t.Errorf("%+v", got)
	}
}

// node is what a Node without AS number and spread looks like.
func node(ip string, count int, rtt, labels string) string {
	if labels != "" {
		labels = `,"labels":` + labels
	}
	return fmt.Sprintf(`{"asn":"","ip":%q,"name":%q,"packet_count":%d,"mean_rtt_ms":%s,"std_dev_rtt_ms":0,"min_rtt_ms":%[4]s,"max_rtt_ms":%[4]s%s}`, ip, ip, count, rtt, labels)
}

func TestHops(t *testing.T) {
	const silent = `{"asn":"","ip":"","name":"NO RESPONSE","packet_count":0,"mean_rtt_ms":0,"std_dev_rtt_ms":0,"min_rtt_ms":0,"max_rtt_ms":0}`
	const ms = time.Millisecond
	expired := func(from string, rtt time.Duration) *traceroute.Answer {
		return answer(traceroute.TimeExceeded, from, rtt)
	}
	blocked, hidden := answer(traceroute.Unreachable, "192.0.2.3", 3*ms), expired("192.0.2.4", ms)
	blocked.Code, hidden.From = 13, netip.Addr{}
	tests := map[string]struct {
		method traceroute.Method
		probes []traceroute.Probe
		want   string
	}{
		"silent": {
			traceroute.ICMP,
			[]traceroute.Probe{{TTL: 1}, {TTL: 1, Flow: 1}, {TTL: 2, Answer: answer(traceroute.EchoReply, "1.1.1.1", ms)}, {TTL: 2, Flow: 1, Answer: answer(traceroute.EchoReply, "1.1.1.1", ms)}},
			`[{"packets_ttl":1,"packets_sent":2,"packets_lost":2,"nodes":[` + silent + `]},` +
				`{"packets_ttl":2,"packets_sent":2,"packets_lost":0,"nodes":[` + node("1.1.1.1", 2, "1", "") + `]}]`,
		},
		"partly silent, two nodes": {
			traceroute.UDP,
			[]traceroute.Probe{{TTL: 1, Answer: expired("192.0.2.9", 2*ms)}, {TTL: 1, Flow: 1}, {TTL: 1, Flow: 2, Answer: expired("192.0.2.1", ms/4)}, {TTL: 1, Flow: 3, Answer: expired("192.0.2.9", 2*ms)}},
			`[{"packets_ttl":1,"packets_sent":4,"packets_lost":1,"nodes":[` + node("192.0.2.9", 2, "2", "") + `,` + node("192.0.2.1", 1, "0.25", "") + `]}]`,
		},
		"labels": {
			traceroute.UDP,
			[]traceroute.Probe{{TTL: 1, Answer: blocked}},
			`[{"packets_ttl":1,"packets_sent":1,"packets_lost":0,"nodes":[` + node("192.0.2.3", 1, "3", `["!X"]`) + `]}]`,
		},
		"redacted": {
			traceroute.UDP,
			[]traceroute.Probe{{TTL: 1, Answer: hidden}},
			`[{"packets_ttl":1,"packets_sent":1,"packets_lost":0,"nodes":[{"asn":"","ip":"","name":"REDACTED","packet_count":1,"mean_rtt_ms":1,"std_dev_rtt_ms":0,"min_rtt_ms":1,"max_rtt_ms":1}]}]`,
		},
		"gre+icmp": {
			traceroute.GREICMP,
			[]traceroute.Probe{{TTL: 1, Encapsulated: true, Answer: expired("192.0.2.1", ms)}, {TTL: 1, Answer: expired("192.0.2.1", ms)}},
			`[{"packets_ttl":1,"packets_sent":2,"packets_lost":0,"nodes":[` + node("192.0.2.1", 1, "1", `["GRE"]`) + `,` + node("192.0.2.1", 1, "1", `["ICMP"]`) + `]}]`,
		},
	}
	for name, tt := range tests {
		outcome := &traceroute.Outcome{Result: result(tt.method, tt.probes...)}
		got, err := json.Marshal(renderColo(service.Trace{Target: "1.1.1.1"}, outcome, nil).Hops)
		if diff := cmp.Diff(tt.want, string(got)); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestTargetThatNeverAnswered(t *testing.T) {
	r := result(traceroute.ICMP, traceroute.Probe{TTL: 1, Answer: answer(traceroute.TimeExceeded, "192.0.2.1", time.Millisecond)}, traceroute.Probe{TTL: 2})
	got := renderColo(service.Trace{Target: "1.1.1.1"}, &traceroute.Outcome{Result: r}, nil).Summary
	if diff := cmp.Diff(TargetSummary{IP: "1.1.1.1", Name: "1.1.1.1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMilliseconds(t *testing.T) {
	tests := map[time.Duration]string{
		0: "0", 1: "0.000001", -1: "0", 14839: "0.014839", 123456789012346: "123456789.012346",
		14000: "0.014", 1234567: "1.234567", 5e9: "5000", 9.2e18: "9200000000000",
	}
	for d, want := range tests {
		if got, err := json.Marshal(milliseconds(d)); err != nil || string(got) != want {
			t.Errorf("%d ns is %s, %v; want %s", d, got, err, want)
		}
	}
}
