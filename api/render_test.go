package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

var (
	oneOne   = netip.MustParseAddr("1.1.1.1")
	knownOne = fakeAnnotator{oneOne: {Name: "one.one.one.one", ASN: 13335}}
)

// golden is the example of Cloudflare's API reference in the field names of its
// live answers. Its standard deviation is sqrt(127)/1000 = 0.0112694276…, which the
// reference prints with 18 decimals.
const golden = `{"result":[{"target":"1.1.1.1","colos":[{
   "colo":{"name":"den01","city":"City of den01"},
   "traceroute_time_ms":155,
   "target_summary":{"asn":"AS13335","ip":"1.1.1.1","name":"1.1.1.1","packet_count":3,
        "mean_rtt_ms":0.021,"std_dev_rtt_ms":0.011269,"min_rtt_ms":0.014,"max_rtt_ms":0.034,
        "mean_latency_ms":0.021,"std_dev_latency_ms":0.011269,"min_latency_ms":0.014,"max_latency_ms":0.034},
   "hops":[{"packets_ttl":1,"packets_sent":3,"packets_lost":0,"nodes":[
        {"asn":"AS13335","ip":"1.1.1.1","name":"one.one.one.one","packet_count":3,
         "mean_rtt_ms":0.021,"std_dev_rtt_ms":0.011269,"min_rtt_ms":0.014,"max_rtt_ms":0.034}]}]}]}],
 "success":true,"errors":[],"messages":[]}`

func TestGoldenAnswer(t *testing.T) {
	s, err := New(Config{Colos: []Colo{&fakeColo{name: "den01"}}, Annotator: knownOne})
	if err != nil {
		t.Fatal(err)
	}
	got := loadLaw(t).ask(t, NewHandler(HandlerConfig{Service: s, Log: quiet()}), http.MethodPost, endpoint, `{"targets":["1.1.1.1"]}`)
	var want bytes.Buffer
	if err := json.Compact(&want, []byte(golden)); err != nil {
		t.Fatal(err)
	}
	want.WriteByte('\n')
	if diff := cmp.Diff(want.String(), string(got.body)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// hopsOf renders a Result through the whole Service and returns its hops as
// JSON, judged against the contract.
func hopsOf(t *testing.T, method traceroute.Method, probes ...traceroute.Probe) (string, TargetSummary) {
	t.Helper()
	result := direct("1.1.1.1")
	result.Spec.Method, result.Probes = method, probes
	h := newHandler(t, &fakeColo{name: "den01", trace: answering(result)})
	got := loadLaw(t).ask(t, h, http.MethodPost, endpoint, `{"targets":["1.1.1.1"]}`)
	colo := got.Result[0].Colos[0]
	hops, err := json.Marshal(colo.Hops)
	if err != nil {
		t.Fatal(err)
	}
	return string(hops), colo.Summary
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
	ms := time.Millisecond
	blocked := exceeded("192.0.2.3", 3*ms)
	blocked.Kind, blocked.Code = traceroute.Unreachable, 13
	tests := map[string]struct {
		method traceroute.Method
		probes []traceroute.Probe
		want   string
	}{
		"silent": {
			traceroute.ICMP,
			[]traceroute.Probe{{TTL: 1}, {TTL: 1, Flow: 1}, {TTL: 2, Answer: echo(oneOne, ms)}, {TTL: 2, Flow: 1, Answer: echo(oneOne, ms)}},
			`[{"packets_ttl":1,"packets_sent":2,"packets_lost":2,"nodes":[` + silent + `]},` +
				`{"packets_ttl":2,"packets_sent":2,"packets_lost":0,"nodes":[` + node("1.1.1.1", 2, "1", "") + `]}]`,
		},
		"partly silent, two nodes": {
			traceroute.UDP,
			[]traceroute.Probe{{TTL: 1, Answer: exceeded("192.0.2.9", 2*ms)}, {TTL: 1, Flow: 1}, {TTL: 1, Flow: 2, Answer: exceeded("192.0.2.1", ms/4)}, {TTL: 1, Flow: 3, Answer: exceeded("192.0.2.9", 2*ms)}},
			`[{"packets_ttl":1,"packets_sent":4,"packets_lost":1,"nodes":[` + node("192.0.2.9", 2, "2", "") + `,` + node("192.0.2.1", 1, "0.25", "") + `]}]`,
		},
		"labels": {
			traceroute.UDP,
			[]traceroute.Probe{{TTL: 1, Answer: blocked}},
			`[{"packets_ttl":1,"packets_sent":1,"packets_lost":0,"nodes":[` + node("192.0.2.3", 1, "3", `["!X"]`) + `]}]`,
		},
		"gre+icmp": {
			traceroute.GREICMP,
			[]traceroute.Probe{{TTL: 1, Encapsulated: true, Answer: exceeded("192.0.2.1", ms)}, {TTL: 1, Answer: exceeded("192.0.2.1", ms)}},
			`[{"packets_ttl":1,"packets_sent":2,"packets_lost":0,"nodes":[` + node("192.0.2.1", 1, "1", `["GRE"]`) + `,` + node("192.0.2.1", 1, "1", `["ICMP"]`) + `]}]`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, _ := hopsOf(t, tt.method, tt.probes...)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTargetThatNeverAnswered(t *testing.T) {
	_, got := hopsOf(t, traceroute.ICMP, traceroute.Probe{TTL: 1, Answer: exceeded("192.0.2.1", time.Millisecond)}, traceroute.Probe{TTL: 2})
	if diff := cmp.Diff(TargetSummary{IP: "1.1.1.1", Name: "1.1.1.1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMilliseconds(t *testing.T) {
	tests := []struct {
		nanoseconds time.Duration
		want        string
	}{
		{0, "0"},
		{1, "0.000001"},
		{-1, "0"},
		{14839, "0.014839"},
		{123456789012346, "123456789.012346"},
		{14000, "0.014"},
		{1234567, "1.234567"},
		{5e9, "5000"},
		{9.2e18, "9200000000000"},
	}
	for _, tt := range tests {
		got, err := json.Marshal(milliseconds(tt.nanoseconds))
		if err != nil || string(got) != tt.want {
			t.Errorf("%d ns is %s, %v; want %s", tt.nanoseconds, got, err, tt.want)
		}
	}
}

func TestRefusalHasNullResult(t *testing.T) {
	got, err := json.Marshal(envelope.NewError(404, envelope.CodeRoute, "no such route").Envelope())
	want := `{"result":null,"success":false,"errors":[{"code":7003,"message":"no such route"}],"messages":[]}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
}
