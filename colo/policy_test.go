package colo

import (
	"context"
	"net"
	"net/netip"
	"testing"

	"probe-agent/policy"
	"probe-agent/traceroute"
)

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
	return addrs(texts...), nil
}

// Every outcome of the policy: what is refused is not traced and says why, and
// what is traced is the address that was checked.
func TestPolicy(t *testing.T) {
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
		refused = "forbidden: "
		private = " is in a special-purpose range: private use (RFC 1918)"
		noHost  = " is not the address of a host"
		listed  = " is not to be probed from here"
		holds   = " holds an IPv4 address that"
	)
	tests := []struct {
		rules, target string
		want          string // the address traced, or the failure
	}{
		{"internal", "1.1.1.1", "1.1.1.1"},
		{"internal", "::ffff:1.1.1.1", "1.1.1.1"},
		{"internal", "10.0.0.1", "10.0.0.1"},
		{"internal", "9.9.9.9", "9.9.9.9"},
		{"internal", "8.8.8.8", refused + "8.8.8.8" + listed},
		{"internal", "::ffff:8.8.8.8", refused + "8.8.8.8" + listed},
		{"internal", "2002:808:808::1", refused + "2002:808:808::1" + holds + listed},
		{"internal", "1.2.3.4", refused + "1.2.3.4" + listed},
		{"internal", "0.0.0.0", refused + "0.0.0.0" + noHost},
		{"internal", "::", refused + "::" + noHost},
		{"internal", "ff02::1", refused + "ff02::1" + noHost},
		{"internal", "255.255.255.255", refused + "255.255.255.255" + noHost},
		{"internal", "9.9.9.255", refused + "9.9.9.255" + listed},
		{"internal", "first.example", "10.0.0.1"},
		{"internal", "listed.example", "10.0.0.1"},
		{"internal", "multicast.example", refused + "its address" + noHost},
		{"public", "1.1.1.1", "1.1.1.1"},
		{"public", "10.0.0.1", refused + "10.0.0.1" + private},
		{"public", "192.168.7.1", "192.168.7.1"},
		{"public", "192.168.8.1", refused + "192.168.8.1" + private},
		{"public", "1.2.3.4", refused + "1.2.3.4" + listed},
		{"public", "1.2.3.5", "1.2.3.5"},
		{"public", "9.9.9.9", refused + "9.9.9.9" + listed},
		{"public", "64:ff9b::a00:1", refused + "64:ff9b::a00:1" + holds + private},
		{"public", "2001:db8::1", refused + "2001:db8::1 is in a special-purpose range: documentation (RFC 3849)"},
		{"public", "good.example", "1.1.1.1"},
		{"public", "mapped.example", "1.1.1.1"},
		{"public", "first.example", "1.1.1.1"},
		{"public", "private.example", refused + "its address" + private},
		{"public", "listed.example", refused + "its address" + listed},
		{"public", "own.example", refused + "its address" + listed},
		{"public", "embedded.example", "2606:4700::1"},
		{"public", "rebound.example", "1.1.1.1"},
		{"public", "none.example", "unresolved: no such host"},
	}
	for _, tt := range tests {
		t.Run(tt.rules+"/"+tt.target, func(t *testing.T) {
			var rule policy.Policy
			rule.Replace(rules[tt.rules])
			rule.SetHost([]netip.Prefix{netip.MustParsePrefix("9.9.9.9/24")})
			resolver := &rebinding{zone: zone, asked: make(map[string]int)}
			local := New(Config{Resolver: resolver, Policy: &rule, Tracer: fakeTracer(echoSpec)})
			if got := describe(traceOne(t.Context(), t, local, tt.target, traceroute.Spec{})); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
			if n := resolver.asked[tt.target]; n > 1 {
				t.Errorf("resolved %d times", n)
			}
		})
	}
}
