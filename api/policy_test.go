package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"probe-agent/api/envelope"
	"probe-agent/policy"
	"probe-agent/traceroute"
)

var _ Policy = (*policy.Policy)(nil)

// rebinding is a name server that gives each name another address when it is
// asked again: first those listed, then one that is refused.
type rebinding struct {
	zone  map[string][]string
	asked map[string]int
}

func (r *rebinding) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := r.zone[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if r.asked[host]++; r.asked[host] > 1 {
		texts = []string{"10.0.0.1"}
	}
	addrs := make([]netip.Addr, len(texts))
	for i, text := range texts {
		addrs[i] = netip.MustParseAddr(text)
	}
	return addrs, nil
}

// Every outcome of the policy, asked for over HTTP: what is refused is not
// traced and says why, and what is traced is the address that was checked.
func TestPolicyOutcomes(t *testing.T) {
	zone := map[string][]string{
		"good.example":      {"1.1.1.1"},
		"first.example":     {"10.0.0.1", "8.8.8.8", "1.1.1.1", "9.9.9.1"},
		"private.example":   {"10.0.0.1", "192.168.0.1"},
		"listed.example":    {"8.8.8.8", "10.0.0.1"},
		"mapped.example":    {"::ffff:1.1.1.1"},
		"embedded.example":  {"64:ff9b::10.0.0.1", "2606:4700::1"},
		"multicast.example": {"224.0.0.1"},
		"own.example":       {"9.9.9.9"},
		"rebound.example":   {"1.1.1.1"},
	}
	list := func(texts ...string) (all []netip.Prefix) {
		for _, text := range texts {
			prefix, err := policy.ParsePrefix(text)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, prefix)
		}
		return all
	}
	rules := map[string]policy.Rules{
		"internal": {Deny: list("8.8.8.0/24"), DoNotProbe: []*policy.Set{policy.SetOf(list("1.2.3.4")...)}},
		"public":   {Preset: policy.Public, Allow: list("192.168.7.0/24", "1.2.3.0/24"), Deny: list("8.8.8.0/24"), DoNotProbe: []*policy.Set{policy.SetOf(list("1.2.3.4")...)}},
	}
	const (
		private = " is in a special-purpose range: private use (RFC 1918)"
		noHost  = " is not the address of a host"
		listed  = " is not to be probed from here"
		holds   = " holds an IPv4 address that"
	)
	tests := []struct {
		rules, target string
		want          string // the address traced, or the reason
	}{
		{"internal", "1.1.1.1", "1.1.1.1"},
		{"internal", "::ffff:1.1.1.1", "1.1.1.1"},
		{"internal", "10.0.0.1", "10.0.0.1"},
		{"internal", "9.9.9.9", "9.9.9.9"},
		{"internal", "8.8.8.8", "8.8.8.8" + listed},
		{"internal", "::ffff:8.8.8.8", "8.8.8.8" + listed},
		{"internal", "2002:808:808::1", "2002:808:808::1" + holds + listed},
		{"internal", "1.2.3.4", "1.2.3.4" + listed},
		{"internal", "0.0.0.0", "0.0.0.0" + noHost},
		{"internal", "::", "::" + noHost},
		{"internal", "ff02::1", "ff02::1" + noHost},
		{"internal", "255.255.255.255", "255.255.255.255" + noHost},
		{"internal", "9.9.9.255", "9.9.9.255" + listed},
		{"internal", "first.example", "10.0.0.1"},
		{"internal", "listed.example", "10.0.0.1"},
		{"internal", "multicast.example", "its address" + noHost},
		{"public", "1.1.1.1", "1.1.1.1"},
		{"public", "10.0.0.1", "10.0.0.1" + private},
		{"public", "192.168.7.1", "192.168.7.1"},
		{"public", "192.168.8.1", "192.168.8.1" + private},
		{"public", "1.2.3.4", "1.2.3.4" + listed},
		{"public", "1.2.3.5", "1.2.3.5"},
		{"public", "9.9.9.9", "9.9.9.9" + listed},
		{"public", "64:ff9b::a00:1", "64:ff9b::a00:1" + holds + private},
		{"public", "2001:db8::1", "2001:db8::1 is in a special-purpose range: documentation (RFC 3849)"},
		{"public", "good.example", "1.1.1.1"},
		{"public", "mapped.example", "1.1.1.1"},
		{"public", "first.example", "1.1.1.1"},
		{"public", "private.example", "its address" + private},
		{"public", "listed.example", "its address" + listed},
		{"public", "own.example", "its address" + listed},
		{"public", "embedded.example", "2606:4700::1"},
		{"public", "rebound.example", "1.1.1.1"},
		{"public", "none.example", "no such host"},
	}
	law := loadLaw(t)
	for _, tt := range tests {
		t.Run(tt.rules+"/"+tt.target, func(t *testing.T) {
			var rule policy.Policy
			rule.Replace(rules[tt.rules])
			rule.SetHost([]netip.Prefix{netip.MustParsePrefix("9.9.9.9/24")})
			var traced []string
			resolver := &rebinding{zone: zone, asked: make(map[string]int)}
			local := &Local{ColoName: "den01", Resolver: resolver, Policy: &rule}
			local.Tracer = fakeTracer(func(_ context.Context, _ traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error) {
				traced = append(traced, targets[0].String())
				return direct(targets[0].String()), nil
			})
			h := newHandler(t, local)
			got := law.ask(t, h, http.MethodPost, endpoint, fmt.Sprintf(`{"targets":[%q]}`, tt.target))
			colo := got.Result[0].Colos[0]
			if strings.Contains(tt.want, " ") {
				code := Forbidden
				if tt.want == "no such host" {
					code = Unresolved
				}
				want := []envelope.Message{{Code: 1000 + int(code), Message: "den01 → " + tt.target + ": " + tt.want}}
				if diff := cmp.Diff(want, got.Messages); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if colo.Error != fmt.Sprintf("Could not gather traceroute data: Code %d", code) || len(colo.Hops) != 0 || traced != nil {
					t.Errorf("error %q, %d hops, traced %v", colo.Error, len(colo.Hops), traced)
				}
			} else if diff := cmp.Diff([]string{tt.want}, traced); diff != "" || colo.Error != "" || colo.Summary.IP != tt.want {
				t.Errorf("error %q, address %q, traced (-want +got):\n%s", colo.Error, colo.Summary.IP, diff)
			}
			if n := resolver.asked[tt.target]; n > 1 {
				t.Errorf("resolved %d times", n)
			}
		})
	}
}

// One refused target among others fails alone.
func TestPolicyRefusesOneOfSeveral(t *testing.T) {
	var rule policy.Policy
	rule.Replace(policy.Rules{Preset: policy.Public})
	local := &Local{ColoName: "den01", Policy: &rule, Tracer: fakeTracer(func(_ context.Context, _ traceroute.Spec, targets []netip.Addr) (*traceroute.Result, error) {
		return direct(targets[0].String()), nil
	})}
	got := loadLaw(t).ask(t, newHandler(t, local), http.MethodPost, endpoint, `{"targets":["1.1.1.1","10.0.0.1","8.8.8.8"]}`)
	var codes []string
	for _, r := range got.Result {
		codes = append(codes, r.Colos[0].Error)
	}
	if diff := cmp.Diff([]string{"", "Could not gather traceroute data: Code 3", ""}, codes); diff != "" || len(got.Messages) != 1 || got.Messages[0].Code != 1003 {
		t.Errorf("messages %v (-want +got):\n%s", got.Messages, diff)
	}
}

// Routers with private addresses on the way are data, whatever the policy says
// of them as targets.
func TestPrivateHopsAreShown(t *testing.T) {
	var rule policy.Policy
	rule.Replace(policy.Rules{Preset: policy.Public})
	local := &Local{ColoName: "den01", Policy: &rule, Tracer: fakeTracer(pathTracer)}
	got := loadLaw(t).ask(t, newHandler(t, local), http.MethodPost, endpoint, `{"targets":["1.1.1.1"]}`)
	colo := got.Result[0].Colos[0]
	if colo.Error != "" || len(colo.Hops) != 4 || colo.Hops[0].Nodes[0].IP != "10.0.0.1" || colo.Hops[1].Nodes[0].IP != "10.0.0.2" {
		t.Errorf("%+v", colo)
	}
}
