//go:build linux

package e2e

import (
	"net/http"
	"strings"
	"testing"

	"probe-agent/api/envelope"
	"probe-agent/internal/netsim/kernel"
	"probe-agent/internal/netsim/kernel/kerneltest"
)

// fault is what a test says of one error of a refusal.
type fault struct {
	Code    int
	Pointer string
}

func faults(messages []envelope.Message) []fault {
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

// Every invalid request of the contract gets its status, codes and pointers,
// sends no packet and does the daemon no harm.
func TestRefusals(t *testing.T) {
	t.Parallel()
	options := func(o string) string { return `{"targets":["198.19.0.1"],"options":{` + o + `}}` }
	eleven := `{"targets":["` + strings.Repeat(`198.19.0.1","`, 10) + `198.19.0.1"]}`
	bodies := map[string]struct {
		body   string
		status int
		want   []fault
	}{
		"no body":           {``, 400, []fault{{1001, ""}}},
		"not JSON":          {`targets=198.19.0.1`, 400, []fault{{1001, ""}}},
		"array":             {`["198.19.0.1"]`, 400, []fault{{1001, ""}}},
		"targets a string":  {`{"targets":"198.19.0.1"}`, 400, []fault{{1001, "/targets"}}},
		"target a number":   {`{"targets":["198.19.0.1",1]}`, 400, []fault{{1001, "/targets/1"}}},
		"colos a string":    {`{"targets":["198.19.0.1"],"colos":"den"}`, 400, []fault{{1001, "/colos"}}},
		"options an array":  {`{"targets":["198.19.0.1"],"options":[]}`, 400, []fault{{1001, "/options"}}},
		"TTL a string":      {options(`"max_ttl":"15"`), 400, []fault{{1001, "/options/max_ttl"}}},
		"no targets":        {`{}`, 400, []fault{{1002, "/targets"}}},
		"empty targets":     {`{"targets":[]}`, 400, []fault{{1002, "/targets"}}},
		"11 targets":        {eleven, 400, []fault{{1002, "/targets"}}},
		"target a URL":      {`{"targets":["https://198.19.0.1/"]}`, 400, []fault{{1002, "/targets/0"}}},
		"target empty":      {`{"targets":["198.19.0.1",""]}`, 400, []fault{{1002, "/targets/1"}}},
		"TTL 65":            {options(`"max_ttl":65`), 400, []fault{{1003, "/options/max_ttl"}}},
		"TTL -1":            {options(`"max_ttl":-1`), 400, []fault{{1003, "/options/max_ttl"}}},
		"11 packets":        {options(`"packets_per_ttl":11`), 400, []fault{{1003, "/options/packets_per_ttl"}}},
		"-1 packets":        {options(`"packets_per_ttl":-1`), 400, []fault{{1003, "/options/packets_per_ttl"}}},
		"port 65536":        {options(`"port":65536`), 400, []fault{{1003, "/options/port"}}},
		"port -1":           {options(`"port":-1`), 400, []fault{{1003, "/options/port"}}},
		"wait 6":            {options(`"wait_time":6`), 400, []fault{{1003, "/options/wait_time"}}},
		"wait -1":           {options(`"wait_time":-1`), 400, []fault{{1003, "/options/wait_time"}}},
		"packet type":       {options(`"packet_type":"sctp"`), 400, []fault{{1004, "/options/packet_type"}}},
		"colo":              {`{"targets":["198.19.0.1"],"colos":["den","ams01"]}`, 400, []fault{{1005, "/colos/1"}}},
		"body over 64 KiB":  {`{"targets":["198.19.0.1"],"x":"` + strings.Repeat("x", 64<<10) + `"}`, 413, []fault{{1006, ""}}},
		"every field wrong": {`{"targets":[""],"colos":["x"],"options":{"max_ttl":65,"packet_type":"x","packets_per_ttl":11,"port":-1,"wait_time":6}}`, 400, []fault{{1002, "/targets/0"}, {1005, "/colos/0"}, {1003, "/options/max_ttl"}, {1003, "/options/packets_per_ttl"}, {1003, "/options/port"}, {1003, "/options/wait_time"}, {1004, "/options/packet_type"}}},
	}
	routes := []struct {
		method, path string
		status       int
		want         fault
		allow        string
	}{
		{"POST", "/", 404, fault{7003, ""}, ""},
		{"POST", "/client/v5" + endpointPath, 404, fault{7003, ""}, ""},
		{"POST", "/accounts/" + strings.Repeat("a", 33) + "/diagnostics/traceroute", 404, fault{7003, ""}, ""},
		{"POST", "/client/v4/accounts/a.b/diagnostics/traceroute", 404, fault{7003, ""}, ""},
		{"POST", "/client/v4/accounts//diagnostics/traceroute", 404, fault{7003, ""}, ""},
		{"GET", endpointPath, 405, fault{7001, ""}, "POST"},
		{"DELETE", "/client/v4" + endpointPath, 405, fault{7001, ""}, "POST"},
	}

	lab := kerneltest.Build(t, kernel.Chain(1))
	d, tap := newDaemon(t, lab), newTap(t, lab)
	refused := func(t *testing.T, a answer, status int, want []fault) {
		t.Helper()
		if a.status != status || a.Success || a.Result != nil {
			t.Errorf("status %d, want %d: %s", a.status, status, a.body)
		}
		equal(t, want, faults(a.Errors))
	}
	for name, c := range bodies {
		for _, base := range bases() {
			t.Run(name+base, func(t *testing.T) {
				refused(t, d.ask(t, http.MethodPost, base+endpointPath, c.body), c.status, c.want)
			})
		}
	}
	for _, c := range routes {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			a := d.ask(t, c.method, c.path, `{"targets":["198.19.0.1"]}`)
			refused(t, a, c.status, []fault{c.want})
			if got := a.header.Get("Allow"); got != c.allow {
				t.Errorf("Allow %q, want %q", got, c.allow)
			}
		})
	}
	if n := tap.count(t); n != 0 {
		t.Errorf("%d packets were sent", n)
	}
	d.healthy(t)
	if a := d.ask(t, http.MethodPost, endpointPath, `{"targets":["198.19.0.1"]}`); a.status != http.StatusOK || len(a.Result[0].Colos[0].Hops) != 2 {
		t.Errorf("a good request afterwards: %d %s", a.status, a.body)
	}
	d.healthy(t)
}
