package traceroute_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"probe-agent/stats"
	"probe-agent/traceroute"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func addr(last byte) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, last}) }

func TestRedact(t *testing.T) {
	target, gateway, near, far := addr(100), addr(1), addr(2), addr(3)
	from := func(ttl uint8, from netip.Addr) traceroute.Probe {
		return traceroute.Probe{TTL: ttl, Answer: &traceroute.Answer{From: from, RTT: time.Millisecond, Extensions: &traceroute.Extensions{}}}
	}
	shown := func(r *traceroute.Result) (all []string) {
		for _, p := range r.Probes {
			switch {
			case p.Answer == nil:
				all = append(all, "lost")
			case p.Answer.Extensions == nil:
				all = append(all, p.Answer.From.String())
			default:
				all = append(all, p.Answer.From.String()+" and more")
			}
		}
		return all
	}
	tests := []struct {
		name   string
		hops   int
		probes []traceroute.Probe
		want   []string
	}{
		{"nothing", 0, []traceroute.Probe{from(1, gateway)}, []string{"192.0.2.1 and more"}},
		{"first", 1, []traceroute.Probe{from(1, gateway), from(2, near)}, []string{"invalid IP", "192.0.2.2 and more"}},
		{
			"what is silent stays silent", 2,
			[]traceroute.Probe{from(1, gateway), {TTL: 2}, from(3, far)},
			[]string{"invalid IP", "lost", "192.0.2.3 and more"},
		},
		{
			"two paths", 2,
			[]traceroute.Probe{from(1, gateway), from(1, near), from(2, far), from(3, far)},
			[]string{"invalid IP", "invalid IP", "invalid IP", "invalid IP"},
		},
		{
			"a gateway that shows itself again", 1,
			[]traceroute.Probe{from(1, gateway), from(2, gateway), from(3, near)},
			[]string{"invalid IP", "invalid IP", "192.0.2.2 and more"},
		},
		{"the target within", 2, []traceroute.Probe{from(1, gateway), from(2, target)}, []string{"invalid IP", "192.0.2.100"}},
		{"the target as first hop", 64, []traceroute.Probe{from(1, target)}, []string{"192.0.2.100"}},
		{"more hops than there are", 64, []traceroute.Probe{from(1, gateway), from(9, far), from(10, target)}, []string{"invalid IP", "invalid IP", "192.0.2.100"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := traceroute.Redact(&traceroute.Result{Spec: traceroute.Spec{Target: target}, Source: addr(200), Probes: tt.probes}, tt.hops)
			if diff := cmp.Diff(tt.want, shown(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got.Source.IsValid() != (tt.hops == 0) {
				t.Errorf("source %v", got.Source)
			}
		})
	}
}

// Whatever the trace, redacting changes no count, no RTT and not the Result
// that it was given, and no address of the first hops is left.
func TestRedactProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		target := addr(0)
		var probes, original []traceroute.Probe
		for ttl := range uint8(rapid.IntRange(0, 6).Draw(t, "hops")) {
			for flow := range uint16(rapid.IntRange(1, 3).Draw(t, "flows")) {
				p := traceroute.Probe{TTL: ttl + 1, Flow: flow, Sent: time.Duration(flow)}
				if who := rapid.IntRange(-1, 5).Draw(t, "answers"); who >= 0 {
					p.Answer = &traceroute.Answer{From: addr(byte(who)), RTT: time.Duration(who+1) * time.Millisecond, Arrival: who == 0, Extensions: &traceroute.Extensions{}}
				}
				probes = append(probes, p)
			}
		}
		for _, p := range probes {
			if p.Answer != nil {
				answer := *p.Answer
				p.Answer = &answer
			}
			original = append(original, p)
		}
		r := &traceroute.Result{Spec: traceroute.Spec{Target: target}, Source: addr(200), Probes: probes}
		same := func(a, b traceroute.Probe) bool {
			return a.Answer == nil && b.Answer == nil || a.Answer != nil && b.Answer != nil && *a.Answer == *b.Answer
		}
		hops := rapid.IntRange(1, 7).Draw(t, "redacted")
		got := traceroute.Redact(r, hops)
		if !slices.EqualFunc(original, r.Probes, same) || !r.Source.IsValid() {
			t.Fatal("the given result has changed")
		}
		near := make(map[netip.Addr]bool)
		for _, p := range r.Probes {
			if p.Answer != nil && int(p.TTL) <= hops && p.Answer.From != target {
				near[p.Answer.From] = true
			}
		}
		for i, p := range got.Probes {
			was := r.Probes[i]
			if (p.Answer == nil) != (was.Answer == nil) || p.TTL != was.TTL || p.Flow != was.Flow || p.Sent != was.Sent {
				t.Fatalf("probe %+v has become %+v", was, p)
			}
			if p.Answer == nil {
				continue
			}
			if near[p.Answer.From] {
				t.Fatalf("TTL %d: %v is told", p.TTL, p.Answer.From)
			}
			if hidden := !p.Answer.From.IsValid(); hidden != near[was.Answer.From] || (hidden || int(p.TTL) <= hops) != (p.Answer.Extensions == nil) {
				t.Fatalf("TTL %d: %+v has become %+v", p.TTL, was.Answer, p.Answer)
			}
			if p.Answer.RTT != was.Answer.RTT || p.Answer.Arrival != was.Answer.Arrival {
				t.Fatalf("TTL %d: %+v has become %+v", p.TTL, was.Answer, p.Answer)
			}
		}
		before, after := stats.Summarize(r), stats.Summarize(got)
		if before.Target != after.Target || len(before.Hops) != len(after.Hops) {
			t.Fatalf("summary %+v has become %+v", before, after)
		}
		for i, h := range after.Hops {
			if h.Sent != before.Hops[i].Sent || h.Lost != before.Hops[i].Lost {
				t.Fatalf("hop %+v has become %+v", before.Hops[i], h)
			}
		}
	})
}

// Labels say why a path ended in the words of the probed family, whoever said
// it; those that show the inside of a network are gone.
func TestRedactKeepsWhyAPathEnds(t *testing.T) {
	for target, want := range map[string]string{"192.0.2.100": "!X", "2001:db8::100": "!<13>"} {
		answer := &traceroute.Answer{From: netip.MustParseAddr(target).Next(), Kind: traceroute.Unreachable, Code: 13}
		r := &traceroute.Result{Spec: traceroute.Spec{Target: netip.MustParseAddr(target), Method: traceroute.UDP}, Probes: []traceroute.Probe{{TTL: 1, Answer: answer}}}
		for _, result := range []*traceroute.Result{r, traceroute.Redact(r, 1)} {
			if diff := cmp.Diff([]string{want}, stats.Summarize(result).Hops[0].Nodes[0].Labels); diff != "" {
				t.Errorf("%s (-want +got):\n%s", target, diff)
			}
		}
	}
}
