package prober

import (
	"testing"
	"time"

	"probe-agent/packet"
	"probe-agent/prober/mono"
	"probe-agent/traceroute"
)

// TestUnplacedInTime: an answer that names no probe counts when it arrived
// within the wait of a probe that it may belong to, as any other does.
func TestUnplacedInTime(t *testing.T) {
	type arrival struct {
		at   time.Duration
		want verdict
	}
	const s = time.Second
	tests := []struct {
		name     string
		sent     []time.Duration // by TTL
		arrivals []arrival
		answered []int // TTLs
		counts   traceroute.Counts
	}{
		{"in time", []time.Duration{0}, []arrival{{s, matched}}, []int{1}, traceroute.Counts{}},
		{"late", []time.Duration{0}, []arrival{{s + 10*time.Millisecond, late}}, nil, traceroute.Counts{Late: 1}},
		{"late for one, in time for another", []time.Duration{0, s / 2}, []arrival{{s * 5 / 4, matched}}, []int{2}, traceroute.Counts{}},
		{"in time for the lower TTL only", []time.Duration{s / 2, 0}, []arrival{{s * 5 / 4, matched}}, []int{1}, traceroute.Counts{}},
		{"both in time, one for one only", []time.Duration{s / 2, 0}, []arrival{{s * 3 / 4, matched}, {s * 5 / 4, matched}}, []int{1, 2}, traceroute.Counts{}},
		{"one too many in time", []time.Duration{0, s / 2}, []arrival{{s * 5 / 4, matched}, {s * 5 / 4, duplicate}}, []int{2}, traceroute.Counts{Duplicates: 1}},
		{"the higher TTL not sent yet", []time.Duration{0, s / 2}, []arrival{{s / 4, matched}}, []int{1}, traceroute.Counts{}},
		{"more answers than probes", []time.Duration{0}, []arrival{{s / 4, matched}, {s / 4, duplicate}, {2 * s, duplicate}}, []int{1}, traceroute.Counts{Duplicates: 2}},
	}
	for _, typ := range []packet.Type{packet.UDP, packet.GRE} {
		for _, tt := range tests {
			t.Run(typ.String()+"/"+tt.name, func(t *testing.T) {
				trace := testTrace(t, traceroute.Spec{Wait: s}, typ)
				for i, at := range tt.sent {
					trace.register(0, i+1, mono.Instant(at), 0)
				}
				for _, a := range tt.arrivals {
					got := trace.onUnplaced(0, &answer{receipt: receipt{user: moment{mono: mono.Instant(a.at)}}, from: trace.lease.Target, arrival: true, ends: true})
					if got != a.want {
						t.Errorf("answer at %v: %v, want %v", a.at, got, a.want)
					}
				}
				for ttl := range len(tt.sent) {
					want := false
					for _, answered := range tt.answered {
						want = want || answered == ttl+1
					}
					if got := trace.slot(0, ttl+1).answer != 0; got != want {
						t.Errorf("TTL %d answered: %v, want %v", ttl+1, got, want)
					}
				}
				if trace.counts != tt.counts {
					t.Errorf("counts %+v, want %+v", trace.counts, tt.counts)
				}
			})
		}
	}
}

// TestUnplacedFlood: answers that no probe is left for are not kept, however
// many come while another probe still waits.
func TestUnplacedFlood(t *testing.T) {
	const s = time.Second
	trace := testTrace(t, traceroute.Spec{Wait: s}, packet.UDP)
	trace.register(0, 1, 0, 0)
	trace.register(0, 2, mono.Instant(s/2), 0)
	const flood = 1000
	for range flood {
		trace.onUnplaced(0, &answer{receipt: receipt{user: moment{mono: mono.Instant(s * 5 / 4)}}, from: trace.lease.Target, arrival: true, ends: true})
	}
	if len(trace.answers) != 1 || trace.counts.Duplicates != flood-1 {
		t.Errorf("%d answers kept, %d duplicates; want 1 and %d", len(trace.answers), trace.counts.Duplicates, flood-1)
	}
}
