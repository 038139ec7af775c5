package api

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

func TestFaultMessages(t *testing.T) {
	tests := map[string]string{ // body to the message of its first fault
		`{"targets":["192.0.2.1"],"options":{"max_ttl":65}}`:  "options.max_ttl must be an integer from 0 to 64; 0 means the default, 15",
		`{"targets":["192.0.2.1"],"options":{"wait_time":6}}`: "options.wait_time must be an integer from 0 to 5; 0 means the default, 1",
		`{"targets":["192.0.2.1"],"options":{"port":-1}}`:     "options.port must be an integer from 0 to 65535; 0 means the best port of the packet type",
		`{"targets":["a b"]}`:                                 "targets[0] must be a host name (labels of 1 to 63 letters, digits, - and _, not starting or ending with -) or an address",
		`{"targets":["192.0.2.1"],"colos":["nrt01"]}`:         "Colo is not a valid colo",
	}
	s := newService(t, &fakeColo{name: "den01"})
	for body, want := range tests {
		_, err := s.Decode([]byte(body))
		refused, ok := err.(*envelope.Error)
		if !ok {
			t.Errorf("%s: error %v", body, err)
			continue
		}
		if got := refused.Errors[0].Message; got != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}

func TestFaultsAreBounded(t *testing.T) {
	body := `{"targets":["192.0.2.1"],"colos":[` + strings.TrimSuffix(strings.Repeat(`"x",`, 100_000), ",") + `]}`
	_, err := newService(t, &fakeColo{name: "den01"}).Decode([]byte(body))
	refused, ok := err.(*envelope.Error)
	if !ok || len(refused.Errors) != 32 {
		t.Fatalf("got %T with %d faults, want %d", err, len(refused.Errors), 32)
	}
}

func TestValidRequests(t *testing.T) {
	one := []string{"192.0.2.1"}
	tests := map[string]struct {
		body string
		want Request
	}{
		"least":            {`{"targets":["192.0.2.1"]}`, Request{Targets: one}},
		"nulls":            {`{"targets":["192.0.2.1"],"colos":null,"options":null}`, Request{Targets: one}},
		"null options":     {`{"targets":["192.0.2.1"],"options":{"max_ttl":null,"packet_type":null,"packets_per_ttl":null,"port":null,"wait_time":null}}`, Request{Targets: one}},
		"empty":            {`{"targets":["192.0.2.1"],"colos":[],"options":{}}`, Request{Targets: one, Colos: []string{}}},
		"zeros":            {`{"targets":["192.0.2.1"],"options":{"max_ttl":0,"packet_type":"","packets_per_ttl":0,"port":0,"wait_time":0}}`, Request{Targets: one}},
		"most":             {`{"targets":["192.0.2.1"],"options":{"max_ttl":64,"packet_type":"gre+icmp","packets_per_ttl":10,"port":65535,"wait_time":5}}`, Request{Targets: one, Options: Options{MaxTTL: 64, PacketType: "gre+icmp", PacketsPerTTL: 10, Port: 65535, WaitTime: 5}}},
		"integers as 3.0":  {`{"targets":["192.0.2.1"],"options":{"max_ttl":3.0,"port":8e1}}`, Request{Targets: one, Options: Options{MaxTTL: 3, Port: 80}}},
		"unknown fields":   {`{"targets":["192.0.2.1"],"x":{"y":[1]},"options":{"MAX_TTL":"a"}}`, Request{Targets: one}},
		"same target, ten": {`{"targets":` + list(10) + `}`, Request{Targets: strings.Split(strings.Repeat("192.0.2.1 ", 9)+"192.0.2.1", " ")}},
		"white space":      {" {\n\t\"targets\" : [ \"192.0.2.1\" ] , \"options\" : { \"port\" : 7 } }\r\n", Request{Targets: one, Options: Options{Port: 7}}},
	}
	l := loadLaw(t)
	s := newService(t, &fakeColo{name: "den01"})
	h := NewHandler(HandlerConfig{Service: s, Log: quiet()})
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := s.Decode([]byte(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := l.ask(t, h, http.MethodPost, endpoint, tt.body); got.status != http.StatusOK {
				t.Errorf("status %d: %s", got.status, got.body)
			}
		})
	}
}

func TestOptionsSpec(t *testing.T) {
	tests := []struct {
		options Options
		want    traceroute.Spec
	}{
		{Options{}, traceroute.Spec{Method: traceroute.ICMP}},
		{Options{MaxTTL: 64, PacketType: "udp", PacketsPerTTL: 10, Port: 53, WaitTime: 5}, traceroute.Spec{Method: traceroute.UDP, MaxTTL: 64, PacketsPerTTL: 10, Port: 53, Wait: 5 * time.Second}},
		{Options{PacketType: "icmp", Port: 7}, traceroute.Spec{Method: traceroute.ICMP, Port: 7}},
		{Options{PacketType: "tcp", Port: 443}, traceroute.Spec{Method: traceroute.TCP, Port: 443}},
		{Options{PacketType: "gre", Port: 7}, traceroute.Spec{Method: traceroute.GRE}},
		{Options{PacketType: "gre+icmp", Port: 7}, traceroute.Spec{Method: traceroute.GREICMP, Port: 7}},
	}
	for _, tt := range tests {
		got, err := tt.options.Spec()
		if err != nil {
			t.Errorf("%+v: %v", tt.options, err)
			continue
		}
		if diff := cmp.Diff(tt.want, got, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.options, diff)
		}
	}
}
