package main

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"

	"probe-agent/api"
	"probe-agent/packet"
	"probe-agent/prober"
)

// fixedColo finds the same for every target of a trace.
type fixedColo struct {
	answers map[string]prober.Answer // by target; none: the trace fails
}

func (fixedColo) Name() string { return "loc01" }
func (fixedColo) City() string { return "" }

func (c fixedColo) Trace(_ context.Context, target string, spec prober.Spec) (*prober.Result, error) {
	answer, ok := c.answers[target]
	if !ok {
		return nil, errors.New("no such host")
	}
	spec.Target = netip.MustParseAddr("192.0.2.9")
	r := &prober.Result{Spec: spec, Probes: []prober.Probe{{TTL: 1, Answer: &answer}}, Stop: prober.Blocked}
	if answer.Arrival {
		r.Stop = prober.Reached
	}
	return r, nil
}

type noNames struct{}

func (noNames) Annotate(context.Context, []netip.Addr) map[netip.Addr]api.Annotation { return nil }
func (noNames) Prefetch(netip.Addr)                                                  {}

// TestExitCodes: the exit code is about the targets reached, in every form of
// output. What the target's own firewall prohibited is in the target's summary,
// and did not reach it.
func TestExitCodes(t *testing.T) {
	target, other := netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("198.51.100.7")
	colo := fixedColo{map[string]prober.Answer{
		"open.example":       {From: target, RTT: time.Millisecond, Kind: packet.EchoReply, Arrival: true},
		"anycast.example":    {From: other, RTT: time.Millisecond, Kind: packet.Unreachable, Code: 3, Arrival: true},
		"prohibited.example": {From: target, RTT: time.Millisecond, Kind: packet.Unreachable, Code: 10},
	}}
	for _, tt := range []struct {
		name    string
		targets []string
		want    int
	}{
		{"reached", []string{"open.example", "anycast.example"}, exitOK},
		{"prohibited by the target", []string{"open.example", "prohibited.example"}, exitPartial},
		{"failed", []string{"prohibited.example", "nowhere.example", "open.example"}, exitError},
	} {
		tracing := tracing{command: &traceCommand{Targets: tt.targets, PacketType: method(prober.UDP), Interval: 1}, colo: colo, names: noNames{}}
		for form, show := range map[string]func(context.Context, terminal) (int, error){
			"table": tracing.printTables, "csv": tracing.printCSV, "json": tracing.printJSON,
		} {
			code, err := show(t.Context(), terminal{out: &outputWriter{w: io.Discard}, err: io.Discard})
			if err != nil || code != tt.want {
				t.Errorf("%s as %s: exit code %d, %v; want %d", tt.name, form, code, err, tt.want)
			}
		}
	}
	if code := codeOf(&api.Response{}, exitOK); code != exitError {
		t.Errorf("a refused request: exit code %d, want %d", code, exitError)
	}
}
