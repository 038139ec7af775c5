package compat

import (
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// testRefusals checks the exception of every whole-request error: its class,
// and all that its fields tell. No SDK may try again.
func testRefusals(t *testing.T, s sdk, call caller, p *tap) {
	loopback := []string{"127.0.0.1"}
	option := func(name string) fault { return fault{1003, "", "/options/" + name} }
	tests := []struct {
		name   string
		ask    ask
		status int
		faults []fault // a message is compared where one is given
	}{
		{"packet type", ask{Targets: loopback, Options: options{PacketType: "sctp"}}, 400, []fault{{1004, "", "/options/packet_type"}}},
		{"max TTL", ask{Targets: loopback, Options: options{MaxTTL: 65}}, 400, []fault{option("max_ttl")}},
		{"every option", ask{Targets: loopback, Options: options{MaxTTL: -1, PacketType: "ICMP", PacketsPerTTL: 11, WaitTime: 6}}, 400, []fault{
			option("max_ttl"), option("packets_per_ttl"), option("wait_time"), {1004, "", "/options/packet_type"},
		}},
		{"port", ask{Targets: loopback, Options: options{Port: 65536}}, 400, []fault{option("port")}},
		{"no targets", ask{Targets: []string{}}, 400, []fault{{1002, "", "/targets"}}},
		{"eleven targets", ask{Targets: strings.Split(strings.Repeat("::1 ", 10)+"::1", " ")}, 400, []fault{{1002, "", "/targets"}}},
		{"target", ask{Targets: []string{"127.0.0.1", "http://127.0.0.1/"}}, 400, []fault{{1002, "", "/targets/1"}}},
		{"colo", ask{Targets: loopback, Colos: []string{"tst01", "den01"}}, 400, []fault{{1005, "Colo is not a valid colo", "/colos/1"}}},
		{"wrong token", ask{Targets: loopback, credential: credential{token: "not-one-of-ours"}}, 403, []fault{{10000, "Authentication error", ""}}},
		{"wrong key", ask{Targets: loopback, credential: credential{email: email, key: strings.Repeat("0", 37)}}, 403, []fault{{10000, "Authentication error", ""}}},
		{"another's account", ask{Account: "023e105f4ecef8ad9ca31a8372d0c354", Targets: loopback}, 403, []fault{{9109, "", ""}}},
		{"account", ask{Account: account + "0", Targets: loopback}, 404, []fault{{7003, "", ""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if s.portless && tt.ask.Options.Port != 0 {
				t.Skip("the SDK has no option for the port")
			}
			if tt.ask.Account == "" {
				tt.ask.Account = account
			}
			got := call(t, p.url+"/client/v4", tt.ask)
			s.checkRefused(t, p.only(t), tt.ask, got, tt.status, tt.faults)
		})
	}
}

// checkRefused checks all that the exception of one refused request tells.
func (s sdk) checkRefused(t *testing.T, x exchange, a ask, got outcome, status int, faults []fault) {
	t.Helper()
	if got.Refused == nil {
		t.Fatalf("the SDK raised nothing; the answer was %d: %s", x.status, x.answer)
	}
	s.checkSent(t, x.request, a)
	for _, m := range got.Misfits {
		t.Errorf("misfit: %s in %s", m, x.answer)
	}
	r := *got.Refused
	if r.Status != status || x.status != status || r.Class != s.classes[status] {
		t.Errorf("%s of status %d, want %s of %d", r.Class, r.Status, s.classes[status], status)
	}
	if !regexp.MustCompile(`^[0-9a-f]{16}-` + coloName + `$`).MatchString(r.Ray) {
		t.Errorf("request id is %q", r.Ray)
	}
	if diff := cmp.Diff(s.seenOf(faults, r.Faults), r.Faults); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

// seenOf returns the faults as the SDK can show them, with the words of got
// where a test does not prescribe them; words there must be.
func (s sdk) seenOf(faults, got []fault) []fault {
	seen := make([]fault, len(faults))
	for i, f := range faults {
		if s.blind {
			f.Pointer = ""
		}
		if f.Message == "" {
			f.Message = "some words"
			if i < len(got) && got[i].Message != "" {
				f.Message = got[i].Message
			}
		}
		seen[i] = f
	}
	return seen
}
