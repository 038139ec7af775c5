package main

import (
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/colo"
	"probe-agent/internal/netsim"
	"probe-agent/internal/rounds"
	"probe-agent/prober"
	"probe-agent/service"
	"probe-agent/traceroute"
)

// TestExitCodes: the exit code says whether the targets were reached, whatever the
// form of output. What the target's own firewall prohibited did not reach it.
func TestExitCodes(t *testing.T) {
	reject := func(code uint8, from netsim.Address) netsim.Target {
		return netsim.Target{Node: netsim.Node{Reject: []netsim.Reject{{Kind: netsim.Unreachable, Code: code, From: from}}}}
	}
	target, ipv6 := netsim.N(0xff01).For(false).String(), netsim.N(0xff01).For(true).String()
	for _, tt := range []struct {
		name    string
		target  netsim.Target
		targets []string
		want    int
	}{
		{"reached", netsim.Target{}, []string{target}, exitOK},
		{"refused from another address of the target", reject(3, netsim.N(300)), []string{target}, exitOK},
		{"prohibited by the target", reject(10, netsim.Address{}), []string{target}, exitPartial},
		{"silent", netsim.Target{Node: netsim.Node{Silent: true}}, []string{target}, exitPartial},
		{"failed", reject(10, netsim.Address{}), []string{target, ipv6}, exitError},
		{"failed first", reject(10, netsim.Address{}), []string{ipv6, target}, exitError},
	} {
		synctest.Test(t, func(t *testing.T) {
			scenario := netsim.Chain(1, 10*time.Millisecond)
			scenario.Target = tt.target
			network, err := netsim.New(scenario)
			if err != nil {
				t.Fatal(err)
			}
			engine, err := prober.New(netsim.NewMemory(network, network.Host()), prober.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer engine.Close()
			roster, err := service.NewRoster(colo.New(colo.Config{Info: traceroute.Colo{Name: "loc01"}, Tracer: engine}))
			if err != nil {
				t.Fatal(err)
			}
			config := rounds.Config{
				Service:  service.New(service.Config{Roster: roster}),
				Request:  service.Request{Targets: tt.targets, Spec: traceroute.Spec{Method: traceroute.UDP, Family: traceroute.IPv4Only}},
				Rounds:   1,
				Interval: time.Second,
			}
			outcomes, err := rounds.Trace(t.Context(), config, rounds.JSON(io.Discard))
			if err != nil {
				t.Fatal(err)
			}
			code := exitOK
			if status, ok := errors.AsType[exitStatus](exitStatusOf(outcomes)); ok {
				code = int(status)
			}
			if code != tt.want {
				t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.want)
			}
		})
	}
}
