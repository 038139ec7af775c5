package prober

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/stats"
	"probe-agent/traceroute"
)

// TestArrivalFromElsewhere: which UDP probes reached the target is decided by
// all answers so far, in whatever order they come, in live results as in the
// final one.
func TestArrivalFromElsewhere(t *testing.T) {
	own := netip.MustParseAddr("198.51.100.2")
	target, other, router := netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("192.0.2.1")
	type reply struct {
		flow, ttl int
		from      netip.Addr
		kind      packet.Kind
		code      uint8
		quoted    uint8
		want      string // the result so far: why it would end, and which probes arrived
	}
	refused := func(flow, ttl int, from netip.Addr, quoted uint8, want string) reply {
		return reply{flow, ttl, from, packet.Unreachable, codePort4, quoted, want}
	}
	expired := func(flow, ttl int, from netip.Addr, want string) reply {
		return reply{flow, ttl, from, packet.TimeExceeded, 0, 1, want}
	}
	for name, replies := range map[string][]reply{
		"the target's other address": {
			expired(0, 1, router, "exhausted []"), refused(0, 2, other, 1, "reached [0:2]"), refused(1, 2, other, 1, "reached [0:2 1:2]"),
		},
		"a router that answered a lower TTL before": {
			expired(0, 2, other, "exhausted []"), refused(0, 3, other, 1, "blocked []"), refused(1, 3, other, 1, "blocked []"),
		},
		"a router that answers a lower TTL later, on another flow": {
			refused(0, 3, other, 1, "reached [0:3]"), refused(1, 3, other, 1, "reached [0:3 1:3]"), expired(2, 2, other, "blocked []"),
		},
		"a router that prohibited at a lower TTL": {
			refused(0, 3, other, 1, "reached [0:3]"), {1, 2, other, packet.Unreachable, 13, 1, "blocked []"},
		},
		"this host": {refused(0, 1, own, 1, "blocked []")},
		"paths of unequal length to the other address": {
			refused(0, 2, other, 1, "reached [0:2]"), expired(1, 2, router, "reached [0:2]"), refused(1, 3, other, 1, "reached [0:2 1:3]"),
		},
		"a router with the address at a higher TTL": {
			refused(0, 2, other, 1, "reached [0:2]"), expired(1, 3, other, "reached [0:2]"),
		},
		"a router by its distance: the probe expired there": {
			refused(0, 3, other, 2, "reached [0:3]"), refused(1, 3, other, 2, "reached [0:3 1:3]"), expired(0, 2, router, "blocked []"),
		},
		"a target past whose distance was probed": {
			refused(0, 3, other, 2, "reached [0:3]"), refused(0, 2, other, 1, "reached [0:2]"), expired(0, 1, router, "reached [0:2]"),
		},
		"a quoted TTL that was rewritten": {
			expired(0, 1, router, "exhausted []"), refused(0, 2, other, 64, "reached [0:2]"),
		},
		"the target, and a router that refuses": {
			refused(0, 3, other, 1, "reached [0:3]"), refused(1, 3, target, 1, "reached [0:3 1:3]"), expired(2, 2, other, "reached [1:3]"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := testTrace(t, traceroute.Spec{Method: traceroute.UDP}, packet.UDP)
			for ttl := 1; ttl <= 4; ttl++ {
				for flow := range tr.flows {
					tr.register(flow, ttl, 0, 0)
				}
			}
			for i, r := range replies {
				a := answer{receipt: receipt{user: moment{mono: mono.Instant(i + 1)}}, from: r.from, kind: kindOf(r.kind), code: r.code, qttl: r.quoted}
				a.arrival, a.ends = conclusion(&packet.Reply{Kind: r.kind, Code: r.code, From: r.from, To: tr.source}, tr.lease.Type, tr.lease.Target)
				if f := tr.onReply(r.flow, r.ttl, &a); f != matched {
					t.Fatalf("reply %d: verdict %d", i, f)
				}
				result := newResult([]*trace{tr}, time.Time{}, mono.Instant(i+1), 0)
				arrived := []string{}
				for _, p := range result.Probes {
					if p.Answer != nil && p.Answer.Arrival {
						arrived = append(arrived, fmt.Sprintf("%d:%d", p.Flow, p.TTL))
					}
				}
				got := fmt.Sprint(result.Stop, " ", arrived)
				if diff := cmp.Diff(r.want, got); diff != "" {
					t.Errorf("after reply %d (-want +got):\n%s", i, diff)
				}
				if got, want := stats.Summarize(result).Target.Count, len(arrived); got != want {
					t.Errorf("after reply %d: the target's summary counts %d, want %d", i, got, want)
				}
			}
		})
	}
}
