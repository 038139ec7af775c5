package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
	"probe-agent/traceroute"
)

// fault is what a test says of one Message of a refusal.
type fault struct {
	Code    int
	Pointer string
}

func faultsOf(messages []envelope.Message) []fault {
	var all []fault
	for _, m := range messages {
		f := fault{Code: m.Code}
		if m.Source != nil {
			f.Pointer = m.Source.Pointer
		}
		all = append(all, f)
	}
	return all
}

func list(n int) string {
	return `["` + strings.Join(strings.Split(strings.Repeat("192.0.2.1 ", n-1)+"192.0.2.1", " "), `","`) + `"]`
}

func TestInvalidRequests(t *testing.T) {
	options := func(o string) string { return `{"targets":["192.0.2.1"],"options":` + o + `}` }
	target := func(s string) string { return fmt.Sprintf(`{"targets":["192.0.2.1",%q]}`, s) }
	bad := http.StatusBadRequest
	tests := map[string]struct {
		body   string
		status int
		want   []fault
	}{
		"empty body":          {"", bad, []fault{{1001, ""}}},
		"not JSON":            {"targets=1.1.1.1", bad, []fault{{1001, ""}}},
		"cut off":             {`{"targets":["1.1.1.1"]`, bad, []fault{{1001, ""}}},
		"trailing garbage":    {`{"targets":["1.1.1.1"]} x`, bad, []fault{{1001, ""}}},
		"two objects":         {`{"targets":["1.1.1.1"]}{}`, bad, []fault{{1001, ""}}},
		"array":               {`["1.1.1.1"]`, bad, []fault{{1001, ""}}},
		"string":              {`"1.1.1.1"`, bad, []fault{{1001, ""}}},
		"null":                {`null`, bad, []fault{{1001, ""}}},
		"targets a string":    {`{"targets":"1.1.1.1"}`, bad, []fault{{1001, "/targets"}}},
		"target a number":     {`{"targets":["192.0.2.1",1]}`, bad, []fault{{1001, "/targets/1"}}},
		"target null":         {`{"targets":[null]}`, bad, []fault{{1001, "/targets/0"}}},
		"colos a string":      {`{"targets":["192.0.2.1"],"colos":"den"}`, bad, []fault{{1001, "/colos"}}},
		"colo a number":       {`{"targets":["192.0.2.1"],"colos":["den",1]}`, bad, []fault{{1001, "/colos/1"}}},
		"options an array":    {options(`[]`), bad, []fault{{1001, "/options"}}},
		"max_ttl a string":    {options(`{"max_ttl":"15"}`), bad, []fault{{1001, "/options/max_ttl"}}},
		"max_ttl a fraction":  {options(`{"max_ttl":1.5}`), bad, []fault{{1001, "/options/max_ttl"}}},
		"max_ttl true":        {options(`{"max_ttl":true}`), bad, []fault{{1001, "/options/max_ttl"}}},
		"port an object":      {options(`{"port":{}}`), bad, []fault{{1001, "/options/port"}}},
		"packet_type number":  {options(`{"packet_type":6}`), bad, []fault{{1001, "/options/packet_type"}}},
		"targets missing":     {`{}`, bad, []fault{{1002, "/targets"}}},
		"targets null":        {`{"targets":null}`, bad, []fault{{1002, "/targets"}}},
		"targets empty":       {`{"targets":[]}`, bad, []fault{{1002, "/targets"}}},
		"name in capitals":    {`{"Targets":["192.0.2.1"]}`, bad, []fault{{1002, "/targets"}}},
		"11 targets":          {`{"targets":` + list(11) + `}`, bad, []fault{{1002, "/targets"}}},
		"11 of a wrong type":  {`{"targets":[1,2,3,4,5,6,7,8,9,10,11]}`, bad, []fault{{1002, "/targets"}}},
		"target empty":        {target(""), bad, []fault{{1002, "/targets/1"}}},
		"target a URL":        {target("http://example.com/"), bad, []fault{{1002, "/targets/1"}}},
		"max_ttl 65":          {options(`{"max_ttl":65}`), bad, []fault{{1003, "/options/max_ttl"}}},
		"max_ttl -1":          {options(`{"max_ttl":-1}`), bad, []fault{{1003, "/options/max_ttl"}}},
		"max_ttl 1e400":       {options(`{"max_ttl":1e400}`), bad, []fault{{1003, "/options/max_ttl"}}},
		"max_ttl 2^64+1":      {options(`{"max_ttl":18446744073709551617}`), bad, []fault{{1003, "/options/max_ttl"}}},
		"packets_per_ttl 11":  {options(`{"packets_per_ttl":11}`), bad, []fault{{1003, "/options/packets_per_ttl"}}},
		"packets_per_ttl -1":  {options(`{"packets_per_ttl":-1}`), bad, []fault{{1003, "/options/packets_per_ttl"}}},
		"port 65536":          {options(`{"port":65536}`), bad, []fault{{1003, "/options/port"}}},
		"port -1":             {options(`{"port":-1}`), bad, []fault{{1003, "/options/port"}}},
		"wait_time 6":         {options(`{"wait_time":6}`), bad, []fault{{1003, "/options/wait_time"}}},
		"wait_time -1":        {options(`{"wait_time":-1}`), bad, []fault{{1003, "/options/wait_time"}}},
		"packet_type sctp":    {options(`{"packet_type":"sctp"}`), bad, []fault{{1004, "/options/packet_type"}}},
		"packet_type ICMP":    {options(`{"packet_type":"ICMP"}`), bad, []fault{{1004, "/options/packet_type"}}},
		"colo unknown":        {`{"targets":["192.0.2.1"],"colos":["ams"]}`, bad, []fault{{1005, "/colos/0"}}},
		"second colo unknown": {`{"targets":["192.0.2.1"],"colos":["den","den0"]}`, bad, []fault{{1005, "/colos/1"}}},
		"colo empty":          {`{"targets":["192.0.2.1"],"colos":[""]}`, bad, []fault{{1005, "/colos/0"}}},
		"body over 64 KiB":    {`{"targets":["192.0.2.1"],"x":"` + strings.Repeat("x", 64<<10) + `"}`, http.StatusRequestEntityTooLarge, []fault{{1006, ""}}},
		"every field wrong": {
			`{"targets":["","192.0.2.1",7],"colos":["x",8],"options":{"max_ttl":65,"packet_type":"x","packets_per_ttl":"3","port":70000,"wait_time":9}}`, bad,
			[]fault{{1001, "/targets/2"}, {1001, "/colos/1"}, {1001, "/options/packets_per_ttl"}, {1002, "/targets/0"}, {1005, "/colos/0"}, {1003, "/options/max_ttl"}, {1003, "/options/port"}, {1003, "/options/wait_time"}, {1004, "/options/packet_type"}},
		},
	}
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01"})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for _, base := range []string{"", "/client/v4"} {
				got := l.ask(t, h, http.MethodPost, base+"/accounts/a/diagnostics/traceroute", tt.body)
				if got.status != tt.status {
					t.Errorf("status %d, want %d", got.status, tt.status)
				}
				if diff := cmp.Diff(tt.want, faultsOf(got.Errors)); diff != "" {
					t.Errorf("errors (-want +got):\n%s\n%s", diff, got.body)
				}
			}
			if got := l.ask(t, h, http.MethodPost, endpoint, `{"targets":["192.0.2.1"]}`); got.status != http.StatusOK {
				t.Errorf("a good request afterwards: status %d: %s", got.status, got.body)
			}
		})
	}
}

// What a body says is what the colo is asked for, with defaults for the rest.
func TestValidRequests(t *testing.T) {
	const ms = time.Millisecond
	standard := traceroute.Spec{Method: traceroute.ICMP, MaxTTL: 15, PacketsPerTTL: 3, Port: 1, Wait: time.Second}
	with := func(change func(*traceroute.Spec)) traceroute.Spec {
		spec := standard
		change(&spec)
		return spec
	}
	least := `{"targets":["192.0.2.1"]}`
	options := func(o string) string { return `{"targets":["192.0.2.1"],"options":{` + o + `}}` }
	both, native, other := []string{endpoint, nativePath}, []string{nativePath}, []string{endpoint}
	tests := []struct {
		name, body string
		paths      []string
		want       traceroute.Spec
	}{
		{"least", least, both, standard},
		{"nulls", `{"targets":["192.0.2.1"],"colos":null,"options":null}`, both, standard},
		{"null options", options(`"max_ttl":null,"packet_type":null,"packets_per_ttl":null,"port":null,"wait_time":null`), both, standard},
		{"more null options", options(`"wait_ms":null,"family":null`), native, standard},
		{"empty", `{"targets":["192.0.2.1"],"colos":[],"options":{}}`, both, standard},
		{"zeros", options(`"max_ttl":0,"packet_type":"","packets_per_ttl":0,"port":0,"wait_time":0`), both, standard},
		{
			"most", options(`"max_ttl":64,"packet_type":"gre+icmp","packets_per_ttl":10,"port":65535,"wait_time":5`), both,
			traceroute.Spec{Method: traceroute.GREICMP, MaxTTL: 64, PacketsPerTTL: 10, Port: 65535, Wait: 5 * time.Second},
		},
		{"integers as 3.0", options(`"max_ttl":3.0,"port":8e1`), both, with(func(s *traceroute.Spec) { s.MaxTTL, s.Port = 3, 80 })},
		{"unknown fields", `{"targets":["192.0.2.1"],"x":{"y":[1]},"options":{"MAX_TTL":"a"}}`, other, standard},
		{"same target, ten", `{"targets":` + list(10) + `}`, both, standard},
		{"white space", " {\n\t\"targets\" : [ \"192.0.2.1\" ] , \"options\" : { \"port\" : 7 } }\r\n", both, with(func(s *traceroute.Spec) { s.Port = 7 })},
		{"udp", options(`"packet_type":"udp"`), both, with(func(s *traceroute.Spec) { s.Method, s.Port = traceroute.UDP, 33434 })},
		{"tcp", options(`"packet_type":"tcp","port":443`), both, with(func(s *traceroute.Spec) { s.Method, s.Port = traceroute.TCP, 443 })},
		{"gre has no port", options(`"packet_type":"gre","port":7`), both, with(func(s *traceroute.Spec) { s.Method = traceroute.GRE })},
		{"wait_ms", options(`"wait_ms":250,"family":"ipv4"`), native, with(func(s *traceroute.Spec) { s.Wait, s.Family = 250*ms, traceroute.IPv4Only })},
		{"wait_time beside wait_ms 0", options(`"wait_ms":0,"wait_time":2`), native, with(func(s *traceroute.Spec) { s.Wait = 2 * time.Second })},
		{"most wait_ms", options(`"wait_ms":5e3,"family":"ipv6"`), native, with(func(s *traceroute.Spec) { s.Wait, s.Family = 5*time.Second, traceroute.IPv6Only })},
		{"empty family", options(`"family":"","packet_type":"icmp"`), native, standard},
	}
	var mu sync.Mutex
	var got traceroute.Spec
	l := loadLaw(t)
	h := newHandler(t, &fakeColo{name: "den01", trace: func(_ context.Context, target string, spec traceroute.Spec) (*traceroute.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		got = spec
		return direct(target), nil
	}})
	for _, tt := range tests {
		for _, path := range tt.paths {
			got = traceroute.Spec{}
			if a := l.ask(t, h, http.MethodPost, path, tt.body); a.status != http.StatusOK {
				t.Errorf("%s: status %d: %s", tt.name, a.status, a.body)
			}
			if got != tt.want {
				t.Errorf("%s of %s: %+v, want %+v", tt.name, path, got, tt.want)
			}
		}
	}
}
