package colo

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/prober"
	"probe-agent/traceroute"
)

func exceeded(from string) *traceroute.Answer {
	return &traceroute.Answer{From: netip.MustParseAddr(from), RTT: time.Millisecond, Kind: traceroute.TimeExceeded}
}

// pathTracer finds two routers before the target. The first shows itself again at
// TTL 3, where it is seen before it is at TTL 1.
func pathTracer(_ context.Context, spec traceroute.Spec, targets []netip.Addr, feed prober.Feed) (*traceroute.Result, error) {
	spec.Target = targets[0]
	inside := exceeded("10.0.0.1")
	inside.Extensions = &traceroute.Extensions{MPLS: []traceroute.MPLS{{Label: 7}}}
	probes := []traceroute.Probe{
		{TTL: 1, Answer: inside},
		{TTL: 1, Flow: 1},
		{TTL: 2, Answer: exceeded("10.0.0.2")},
		{TTL: 2, Flow: 1, Answer: exceeded("10.0.0.3")},
		{TTL: 3, Answer: exceeded("192.0.2.3")},
		{TTL: 3, Flow: 1, Answer: exceeded("10.0.0.1")},
		{TTL: 4, Answer: &traceroute.Answer{From: spec.Target, Kind: traceroute.EchoReply, Arrival: true}},
	}
	for _, p := range probes {
		if p.Answer != nil {
			feed.Responders <- prober.Responder{Responder: traceroute.Responder{Addr: p.Answer.From, TTL: p.TTL}, Trace: feed.Trace, Target: spec.Target}
		}
	}
	if feed.Updates != nil {
		feed.Updates <- prober.Update{Trace: feed.Trace, Target: spec.Target, Elapsed: time.Minute, TTLs: []uint8{3, 4, 5}, Probes: probes[4:]}
		feed.Updates <- prober.Update{Trace: feed.Trace, Target: spec.Target, Elapsed: time.Minute, TTLs: []uint8{1, 2}, Probes: probes[:4]}
		time.Sleep(time.Second)
	}
	return &traceroute.Result{Spec: spec, Source: netip.MustParseAddr("10.0.0.200"), Probes: probes, Stop: traceroute.Reached}, nil
}

// What a trace reports while it runs is redacted like what it shows at the end,
// and nothing tells who is to be hidden.
func TestRedactHops(t *testing.T) {
	const target = "192.0.2.100"
	for _, tt := range []struct {
		hops       int
		responders string
		live       string // by TTL, in the order of the changes
		final      string
	}{
		{
			0,
			"10.0.0.1 10.0.0.2 10.0.0.3 192.0.2.3 10.0.0.1 " + target,
			"3[10.0.0.1 192.0.2.3] 4[" + target + "] 5[] 1[10.0.0.1] 2[10.0.0.2 10.0.0.3]",
			"10.0.0.200 10.0.0.1 10.0.0.2 10.0.0.3 192.0.2.3 10.0.0.1 " + target,
		},
		{
			2,
			"192.0.2.3 " + target,
			"3[10.0.0.1 192.0.2.3] 4[" + target + "] 5[] 1[-] 2[-] 3[- 192.0.2.3]",
			"- - - - 192.0.2.3 - " + target,
		},
		{64, target, "3[-] 4[" + target + "] 5[] 1[-] 2[-]", "- - - - - - " + target},
	} {
		synctest.Test(t, func(t *testing.T) {
			local := New(Config{Tracer: fakeTracer(pathTracer)})
			local.RedactHops(tt.hops)
			events, err := trace(t.Context(), local, traceroute.Batch{Targets: []string{target}, Live: true})
			if err != nil {
				t.Fatal(err)
			}
			var responders, live, final []string
			for _, e := range events {
				for _, r := range e.Responders {
					responders = append(responders, text(r.Addr))
				}
				for _, h := range e.Hops {
					var nodes []string
					for _, n := range h.Nodes {
						nodes = append(nodes, text(n.Addr))
						if len(n.Labels) > 0 && tt.hops > 0 {
							t.Errorf("hop %d of %d: labels %v", h.TTL, tt.hops, n.Labels)
						}
					}
					live = append(live, fmt.Sprintf("%d%v", h.TTL, nodes))
				}
				if e.Outcome != nil {
					final = append(final, text(e.Outcome.Result.Source))
					for _, p := range e.Outcome.Result.Probes {
						if p.Answer != nil {
							final = append(final, text(p.Answer.From))
						}
					}
				}
			}
			want := []string{tt.responders, tt.live, tt.final}
			if diff := cmp.Diff(want, []string{strings.Join(responders, " "), strings.Join(live, " "), strings.Join(final, " ")}); diff != "" {
				t.Errorf("%d hops (-want +got):\n%s", tt.hops, diff)
			}
		})
	}
}

func text(addr netip.Addr) string {
	if !addr.IsValid() {
		return "-"
	}
	return addr.String()
}
