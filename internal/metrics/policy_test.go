package metrics

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// only allows one address.
type only netip.Addr

var errOther = errors.New("another")

func (o only) Check(addr netip.Addr) error {
	if addr != netip.Addr(o) {
		return errOther
	}
	return nil
}

func TestPolicy(t *testing.T) {
	m := New(Config{})
	good := netip.MustParseAddr("2001:db8::1")
	counting := m.Policy(only(good))
	for addr, want := range map[string]error{
		"2001:db8::1": nil, "2001:db8::2": errOther, "192.0.2.1": errOther, "::ffff:192.0.2.2": errOther,
	} {
		if err := counting.Check(netip.MustParseAddr(addr)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", addr, err, want)
		}
	}
	body := scrape(t, m)
	for _, line := range []string{
		`probe_agent_policy_verdicts_total{family="ipv4",verdict="allowed"} 0`,
		`probe_agent_policy_verdicts_total{family="ipv4",verdict="refused"} 2`,
		`probe_agent_policy_verdicts_total{family="ipv6",verdict="allowed"} 1`,
		`probe_agent_policy_verdicts_total{family="ipv6",verdict="refused"} 1`,
	} {
		if !strings.Contains(body, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}
