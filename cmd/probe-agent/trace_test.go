package main

import (
	"context"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"probe-agent/api"
	"probe-agent/internal/netsim"
	"probe-agent/internal/settings"
	"probe-agent/prober"
)

type noNames struct{}

func (noNames) Annotate(context.Context, []netip.Addr) map[netip.Addr]api.Annotation { return nil }
func (noNames) Prefetch(netip.Addr)                                                  {}

// TestExitCodes: the exit code says whether the targets were reached, in every
// form of output. What the target's own firewall prohibited is in the target's
// summary, and did not reach it.
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
			command := &traceCommand{settings.Trace{Targets: tt.targets, Interval: 1}}
			if err := command.PacketType.UnmarshalText([]byte("udp")); err != nil {
				t.Fatal(err)
			}
			tracing := tracing{
				command: command,
				colo:    &api.Local{ColoName: "loc01", Tracer: engine, Family: api.IPv4Only},
				names:   noNames{},
			}
			for form, show := range map[string]func(context.Context, terminal) (int, error){
				"table": tracing.printTables, "csv": tracing.printCSV, "json": tracing.printJSON,
			} {
				code, err := show(t.Context(), terminal{out: &outputWriter{w: io.Discard}, err: io.Discard})
				if err != nil || code != tt.want {
					t.Errorf("%s as %s: exit code %d, %v; want %d", tt.name, form, code, err, tt.want)
				}
			}
		})
	}
	if code := codeOf(&api.Response{}, exitOK); code != exitError {
		t.Errorf("a refused request: exit code %d, want %d", code, exitError)
	}
}
